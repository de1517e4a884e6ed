"""Alerts: rules over the latest values, a state for each, and the ways to tell somebody."""
