"""Corpora of running text, from which a model learns to predict the next token.

Batch: (tokens, targets)
"""

from functools import cached_property
from typing import Any, Literal

import torch

from datamodules.batches.token_streams import (
    EvaluationStreams,
    RandomWindows,
    SequentialStreams,
    Tail,
    TokenStream,
)
from datamodules.corpus import Corpus
from datamodules.files.errors import CorpusError
from datamodules.text.tokenizers import UNITS
from datamodules.text.vocabulary import UNK, Order, Vocab

Partition = Literal["sequential", "random"]


class TextCorpus(Corpus):
    """A text cut into batches of tokens and targets, int64 (batch, num_steps) each.

    A target is the token after; where a row is padded it is -100, which torch's cross_entropy
    leaves out, and the token is one of the text's, to be ignored. In training, rows come from
    windows at random or go on from batch to batch, as `partition` says. In evaluation rows always
    go on, and every token held out is a target exactly once, on any number of processes: a batch
    may have rows, or on several processes be one, without any target. Streams begin where
    `batch_idx` is 0.

    A corpus says how its tokens are read (`tokens`), and sets `tokenizer` and `clean`, by which a
    prompt becomes tokens too.

    Args:
        partition: Train on consecutive streams, each row going on where that of the batch before
            ended, or on windows at random.
        num_steps: Tokens a row.
        tail: Drop the tokens that fill no row (and, at random, the windows that fill no batch), or
            pad the rows (and end with a smaller batch).
        jitter: Whether each epoch begins at another of the first `num_steps` tokens.
        stride: Tokens between the beginnings of neighbouring windows at random; by default
            num_steps, so that they do not overlap. d2l's protocol takes 1.
        max_tokens: Number of tokens to read, from the beginning; by default all.
        min_freq: Least occurrences in the training text of a token of the vocabulary.
        order: Order of the vocabulary: the most frequent token first, or as they first appear.
        batch_size: Rows per batch, in each process.
        corpus: Arguments of every corpus.

    Raises:
        CorpusError: An argument is out of range.
    """

    splits: tuple[str, ...] = ("train", "val")
    predicts = "--prompt TEXT"
    specials: tuple[str, ...] = (UNK,)
    tokenizer = "word"
    clean = False

    def __init__(
        self,
        partition: Partition = "sequential",
        num_steps: int = 35,
        tail: Tail = "drop",
        jitter: bool = True,
        stride: int | None = None,
        max_tokens: int | None = None,
        min_freq: int = 1,
        order: Order = "frequency",
        batch_size: int = 32,
        **corpus: Any,
    ) -> None:
        super().__init__(batch_size=batch_size, **corpus)
        least = {"num_steps": (num_steps, 1), "stride": (stride, 1), "min_freq": (min_freq, 1)}
        for name, (value, bound) in {**least, "max_tokens": (max_tokens, 2)}.items():
            if value is not None and value < bound:
                raise CorpusError(f"{name} must be at least {bound}, not {value}")
        choices = {
            "partition": (partition, ("sequential", "random")),
            "tail": (tail, ("drop", "pad")),
            "order": (order, ("frequency", "appearance")),
        }
        for name, (chosen, known) in choices.items():
            if chosen not in known:
                raise CorpusError(f"{name} must be {' or '.join(known)}, not {chosen!r}")
        if stride is not None and partition == "sequential":
            raise CorpusError("stride is of windows at random: set --data.partition random")
        self.partition, self.num_steps, self.tail = partition, num_steps, tail
        self.jitter, self.stride = jitter, stride
        self.max_tokens, self.min_freq, self.order = max_tokens, min_freq, order
        self._found = self._used = 0  # tokens of the training file; a part may be held out

    def tokens(self, split: str) -> list[str]:
        """The tokens of train or val or test in order; the first one is context and no target."""
        raise TypeError(f"{type(self).__name__} does not say how its tokens are read")

    @property
    def vocab(self) -> Vocab:
        """The vocabulary of the training text."""
        return self._vocab

    @cached_property
    def _vocab(self) -> Vocab:
        self.prepare_data()  # facts are asked for before the Trainer does this
        return Vocab.of(
            self.tokens("train"), specials=self.specials, min_freq=self.min_freq, order=self.order
        )

    @cached_property
    def vocab_size(self) -> int:
        return len(self.vocab)

    @cached_property
    def carry_state(self) -> bool:
        """Whether a row goes on where that of the batch before ended, in training at least."""
        return self.partition == "sequential"

    def read(self, split: str) -> TokenStream:
        return TokenStream(torch.tensor(self.vocab[self.tokens(split)], dtype=torch.int32))

    def first_tokens(self, tokens: list[str]) -> list[str]:
        """The `max_tokens` first of the tokens that were found, both of which are noted."""
        return tokens[: self.note_used(len(tokens))]

    def note_used(self, count: int) -> int:
        """Returns how many of the tokens that were found are read, and notes both."""
        self._found, self._used = count, min(count, self.max_tokens or count)
        return self._used

    def train_sampler(self, rows: TokenStream) -> SequentialStreams | RandomWindows:
        options = {"tail": self.tail, "jitter": self.jitter, **self.run_options}
        sampler = (
            SequentialStreams(rows, self.batch_size, self.num_steps, **options)
            if self.partition == "sequential"
            else RandomWindows(rows, self.batch_size, self.num_steps, stride=self.stride, **options)
        )
        if len(sampler) == 0:
            raise CorpusError(
                f"{self.title}: {len(rows):,} training {self.unit} to predict do not fill a batch "
                f"of {self.batch_size * self.ranks['num_replicas']} rows of {self.num_steps}: "
                "lower --data.batch_size or --data.num_steps"
            )
        return sampler

    def evaluation_sampler(self, rows: TokenStream) -> EvaluationStreams:
        """Returns the sampler of a whole split, in fewer streams than `batch_size` if it is short.

        A stream has at least `num_steps` tokens, as the first ones are predicted from few others.
        """
        enough = max(1, len(rows) // self.num_steps)
        return EvaluationStreams(rows, self.batch_size, self.num_steps, enough, **self.ranks)

    @property
    def unit(self) -> str:  # type: ignore[override]
        """What a token is called: characters, words, or else tokens."""
        return UNITS.get(self.tokenizer, "tokens")

    @property
    def size_read(self) -> str:
        return f"{super().size_read} to predict"

    @property
    def part_read(self) -> str:
        originals = {} if self.synthetic else self.full_size
        whole = {"train": self._found, **originals}
        used = {"train": self._used, "test": len(self.data.get("test", ()))}
        parts = [
            f"{used[part]:,} of {size:,} {'test ' if part == 'test' else ''}{self.unit}"
            for part, size in whole.items()
            if 0 < used[part] < size
        ]
        return f" ({', '.join(parts)})" if parts else ""

    def state_dict(self) -> dict[str, Any]:
        """Adds what predicting needs: the vocabulary, and how a prompt becomes tokens."""
        return {
            **super().state_dict(),
            "vocabulary": list(self.vocab.entries),
            "tokenizer": self.tokenizer,
            "clean": self.clean,
        }

    def complete(self, state: dict[str, Any]) -> None:
        """Takes the vocabulary of a checkpoint, where the text that it is of is not there."""
        if not (self.synthetic or self.files_exist):
            self._vocab = Vocab(state["vocabulary"])

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Refuses a checkpoint that was trained on another vocabulary."""
        self.vocab.refuse_other(state, self.title)
