"""Programs that people run from a checkout; they are not installed."""
