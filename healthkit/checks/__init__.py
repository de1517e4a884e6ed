"""Judge: one question a file, each yields findings."""
