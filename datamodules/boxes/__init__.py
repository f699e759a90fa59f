"""Corpora of pictures with boxes: annotations, rows, augmentation."""
