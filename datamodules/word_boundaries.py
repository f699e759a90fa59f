"""Word boundaries: The Time Machine without its blanks; before which letters were there any?

Source: as of `datamodules.time_machine`
Batch: (tokens, tags)
"""

from functools import cached_property
from typing import Any

import torch

from datamodules.batches.token_streams import TokenStream
from datamodules.text.vocabulary import Vocab
from datamodules.time_machine import TimeMachine

BLANK = " "


class WordBoundaries(TimeMachine):
    """The letters of the novel, each tagged 1 where it begins a word and 0 within one.

    Batches are int64 (batch, num_steps) each; where a row is padded its tag is -100. In evaluation
    every letter held out counts exactly once; a row knows nothing of what stands around it.

    Args:
        num_steps: Letters a row.
        text: Arguments of every corpus of running text, but for `partition`, `tokenizer` and
            `clean`: rows are windows at random, of the letters from a to z.
    """

    title = "The Time Machine without blanks"
    before = ("", BLANK)  # what stands before a letter with each tag

    def __init__(self, num_steps: int = 64, **text: Any) -> None:
        super().__init__(
            tokenizer="char", clean=True, partition="random", num_steps=num_steps, **text
        )
        self.save_hyperparameters(ignore=["root"], logger=False)

    @cached_property
    def num_tags(self) -> int:
        return 2

    def tagged(self, split: str) -> list[tuple[str, int]]:
        """The letters of a split in order, and their tags."""
        text = super().tokens(split)
        before, text = (text[:1], text[1:]) if split == "val" else ([BLANK], text)
        pairs = zip([*before, *text], text, strict=False)
        return [(letter, int(left == BLANK)) for left, letter in pairs if letter != BLANK]

    def tokens(self, split: str) -> list[str]:
        return [letter for letter, _ in self.tagged(split)]

    def read(self, split: str) -> TokenStream:
        letters, tags = zip(*self.tagged(split), strict=True)
        return TokenStream(torch.tensor(self.vocab[letters]), torch.tensor(tags))

    @cached_property
    def _vocab(self) -> Vocab:
        self.prepare_data()  # facts are asked for before the Trainer does this
        letters = self.tokens("train")
        return Vocab.of(letters, specials=self.specials, min_freq=self.min_freq, order=self.order)

    def state_dict(self) -> dict[str, Any]:
        """Adds what stands before a letter with each tag."""
        return {**super().state_dict(), "before": list(self.before)}
