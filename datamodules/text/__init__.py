"""Corpora of text: tokenizers, vocabularies, sentences, reviews."""
