"""Tell: the report notebooks."""
