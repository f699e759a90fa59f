"""Files of a corpus: where they lie, download, archives, texts, JSON."""
