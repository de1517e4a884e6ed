"""healthkit"""
