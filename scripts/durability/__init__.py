"""What a run survives, tried many times."""
