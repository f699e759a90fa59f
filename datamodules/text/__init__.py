"""Corpora of text: tokenizers, vocabularies, running text, sentence pairs, reviews."""
