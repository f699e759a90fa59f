"""Options of several families, each written once. No torch."""

from argparse import ArgumentParser
from pathlib import Path


def add_prompt(parser: ArgumentParser) -> None:
    """Adds the option of what reads the beginning of a text."""
    parser.add_argument("--prompt", help="text for a language model to continue, a tagger to tag")


def add_texts(parser: ArgumentParser) -> None:
    """Adds the options of what reads a text, or each line of a file."""
    parser.add_argument("--text", help="sentence to translate, or text to classify")
    parser.add_argument("--file", type=Path, help="file of such sentences or texts, one a line")


def add_seed(parser: ArgumentParser) -> None:
    """Adds the option of what draws at random."""
    parser.add_argument("--seed", type=int, help="seed of the draws; 0 by default")
