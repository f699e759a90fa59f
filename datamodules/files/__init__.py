"""Files of a corpus: paths in folders and zips, download, archives, texts, JSON, cache."""
