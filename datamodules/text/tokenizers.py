"""Tokenizers by name: what cuts a text into tokens, and what puts a text together again.

char        every character, blanks and line ends among them
word        what blanks and line ends part; with `cleaned` before it, the course's words
spacy       spaCy's English rules, which need no download; spacy:NAME those of an installed pipeline
treebank    NLTK's Penn Treebank rules; a full stop parts from its word at the end of a line only
tweet       NLTK's rules for tweets, which keep smileys, hashtags and doesn't in one piece
wordpunct   NLTK's runs of letters and digits, and runs of anything else
bpe         pieces of words that the training text teaches; unigram others; see
            `datamodules.text.subwords`

Source: https://spacy.io/usage/linguistic-features#tokenization, https://www.nltk.org/api/nltk.tokenize.html
"""

import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import cache
from importlib import import_module

from datamodules.files.errors import CorpusError
from datamodules.files.staging import reason
from datamodules.files.text import composed
from datamodules.text.subwords import KINDS, cutter, is_learned, num_pieces, together
from datamodules.text.vocabulary import BOS, EOS, PAD, UNK

Tokenizer = Callable[[str], list[str]]

NLTK = {
    "treebank": "TreebankWordTokenizer",
    "tweet": "TweetTokenizer",
    "wordpunct": "WordPunctTokenizer",
}
NAMES = ("char", "word", "spacy", *NLTK, *KINDS)
UNITS = {"char": "characters", "word": "words"}
NO_LETTERS = re.compile("[^a-z]+")
NARROW = str.maketrans("\u202f\xa0", "  ")  # blanks that do not break
STOP = re.compile(r"(?<=\S)(?=[,.!?])")


def cleaned(text: str) -> str:
    """A text in lower case, with one blank for each run of anything but the letters a to z."""
    return NO_LETTERS.sub(" ", text.lower())


def cleaned_sentence(text: str) -> str:
    """The course's cleaning: common blanks, lower case, and a blank before each , . ! and ?"""
    return STOP.sub(" ", composed(text).translate(NARROW).lower())


def refuse_unknown(name: str) -> None:
    """Looks at the name alone: nothing is imported.

    Raises:
        CorpusError: No tokenizer is called that; suggests the nearest, and names them all.
    """
    kind, colon, pipeline = name.partition(":")
    if is_learned(name):
        num_pieces(name)
        return
    if name in NAMES or (kind == "spacy" and colon and pipeline):
        return
    near = get_close_matches(kind.lower(), NAMES, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    raise CorpusError(
        f"no tokenizer is called {name!r}{hint}; there are: {', '.join(NAMES)}, spacy:PIPELINE"
    )


@cache
def tokenizer(name: str, rules: str = "") -> Tokenizer:
    """The function that cuts a text into tokens; blanks are tokens of `char` alone.

    Args:
        name: Name of the tokenizer.
        rules: What one of subwords has learned.

    Raises:
        CorpusError: No tokenizer is called that, or what it needs is not installed.
    """
    refuse_unknown(name)
    if is_learned(name):
        return cutter(name, rules)
    if name in UNITS:
        return list if name == "char" else str.split
    kind, _, pipeline = name.partition(":")
    package = "spacy" if kind == "spacy" else "nltk"
    try:
        return _spacy(pipeline) if kind == "spacy" else _nltk(kind)
    except ImportError as error:
        raise CorpusError(
            f"the tokenizer {name} needs a package that is missing: pip install {package}"
        ) from error


def plain_tokens(name: str, rules: str = "") -> Tokenizer:
    """The function that cuts a text into tokens, none of which is <pad>, <bos> or <eos>.

    Where a text has such a word, it is <unk>: what ends a row or fills it up is no word.

    Raises:
        CorpusError: As of `tokenizer`.
    """
    cut = tokenizer(name, rules)

    def tokens(text: str) -> list[str]:
        if not any(mark in text for mark in (PAD, BOS, EOS)):
            return cut(text)
        return [UNK if token in (PAD, BOS, EOS) else token for token in cut(text)]

    return tokens


def _spacy(pipeline: str) -> Tokenizer:
    spacy = import_module("spacy")
    if not pipeline:
        rules = spacy.blank("en").tokenizer
    elif pipeline not in spacy.util.get_installed_models():  # nothing else is ever imported
        raise CorpusError(
            f"spaCy's pipeline {pipeline} is not installed: python -m spacy download {pipeline}"
        )
    else:
        try:
            rules = spacy.load(pipeline).tokenizer
        except (OSError, ValueError) as error:  # made for another version
            raise CorpusError(
                f"spaCy's pipeline {pipeline} cannot be loaded ({reason(error)}): "
                f"python -m spacy download {pipeline}"
            ) from error
    return lambda text: [token.text for token in rules(text) if not token.is_space]


def _nltk(kind: str) -> Tokenizer:
    rules = getattr(import_module("nltk.tokenize"), NLTK[kind])()
    return lambda text: [token for line in text.split("\n") for token in rules.tokenize(line)]


def joined(tokens: Sequence[str], name: str) -> str:
    """The text of tokens: characters in a row, subwords put together, others with blanks."""
    if is_learned(name):
        return together(tokens)
    return ("" if name == "char" else " ").join(tokens)
