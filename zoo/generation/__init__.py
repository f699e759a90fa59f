"""Networks that make samples like those of a corpus."""
