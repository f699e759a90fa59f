"""The `zoo` command: the one room that knows both the architectures and the corpora."""
