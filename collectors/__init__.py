"""Observe: one file a collector, each yields readings."""
