"""healthkit.store"""
