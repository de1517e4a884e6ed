"""What a report says: one function a section, one call in a notebook."""
