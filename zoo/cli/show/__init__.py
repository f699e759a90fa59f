"""What `zoo list` and `zoo show` print."""
