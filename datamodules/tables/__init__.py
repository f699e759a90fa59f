"""Corpora of tables: reading, encoding, rows to predict."""
