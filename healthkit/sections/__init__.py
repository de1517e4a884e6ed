"""healthkit.sections"""
