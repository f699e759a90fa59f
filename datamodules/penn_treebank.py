"""Penn Treebank: a million words of the Wall Street Journal in 10,000 different ones.

Source: Marcus, Santorini and Marcinkiewicz 1993, https://aclanthology.org/J93-2004, as prepared by
        Mikolov et al. 2010; the text is Dow Jones's and the LDC's
Batch: (tokens, targets)
"""

from typing import Any

from datamodules.text.penn_treebank_files import PennTreebankFiles
from datamodules.text.running_text import TextCorpus
from datamodules.text.vocabulary import EOS, UNK


class PennTreebank(PennTreebankFiles, TextCorpus):
    """929,589 words to train on, 73,760 to choose by, 82,430 to test on; a line ends with <eos>.

    The file has <unk> for rare words and N for numbers. Each text begins after an <eos>, so that
    all of its words are predicted. Read from the folder or the archive `ptb`.

    Args:
        batch_size: Rows per batch, in each process.
        text: Arguments of every corpus of running text.
    """

    specials = (EOS, UNK)
    full_size = {"train": 929_589, "test": 82_430}

    def __init__(self, batch_size: int = 20, **text: Any) -> None:
        super().__init__(batch_size=batch_size, **text)
        self.save_hyperparameters(ignore=["root"], logger=False)

    def tokens(self, split: str) -> list[str]:
        words = [word for line in self.sentences(split) for word in (*_plain(line), EOS)]
        return [EOS, *(self.first_tokens(words) if split == "train" else words)]


def _plain(words: list[str]) -> list[str]:
    """The words of a line, none of which ends it."""
    return [UNK if word == EOS else word for word in words] if EOS in words else words
