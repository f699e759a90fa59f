"""Corpora of words for embeddings: windows, co-occurrences, queries, pretrained vectors."""
