"""Corpora of pictures: folders, rows, normalisation, augmentation."""
