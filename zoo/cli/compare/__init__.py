"""Runs side by side: on the terminal, in a page, in files, in Weights & Biases."""
