"""healthkit.checks"""
