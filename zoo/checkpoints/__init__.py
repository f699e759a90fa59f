"""Checkpoints: written whole, checked, portable, bundled."""
