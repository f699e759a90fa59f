"""Checkpoints: written whole, checked, safetensors, bundled."""
