"""Blocks that two or more architectures use."""
