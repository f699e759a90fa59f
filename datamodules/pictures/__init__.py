"""Corpora of pictures: folders, rows, normalisation, augmentation, features, style."""
