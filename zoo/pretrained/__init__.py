"""Bodies and weights of other projects, and their features."""
