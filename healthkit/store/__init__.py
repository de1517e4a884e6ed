"""The one reader and writer of samples."""
