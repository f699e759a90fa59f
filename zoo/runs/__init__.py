"""A run on disk and in W&B: folder, record, history, comparison."""
