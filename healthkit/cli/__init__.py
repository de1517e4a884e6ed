"""healthkit.cli"""
