"""Deliver: run the notebook, render the page, send the mail."""
