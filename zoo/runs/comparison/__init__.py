"""Runs side by side: table, curves, a page."""
