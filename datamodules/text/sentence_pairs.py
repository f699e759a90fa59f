"""Corpora of sentences and their translations, held out by the sentence.

Batch: (source, source_lengths, target, target_lengths, references)
"""

from collections.abc import Iterable
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from datamodules.batches.length_buckets import BucketedCorpus
from datamodules.batches.samplers import seeded_generator
from datamodules.files.errors import CorpusError
from datamodules.files.text import composed, read_text
from datamodules.text.sentence_rows import SentenceRows
from datamodules.text.subwords import is_learned, learned
from datamodules.text.token_rows import TokenRows
from datamodules.text.tokenizers import cleaned_sentence, joined, plain_tokens, refuse_unknown
from datamodules.text.vocabulary import BOS, EOS, PAD, SPECIALS, UNK, Vocab

SHARE = 10  # of the sentences of a stand-in, one in so many is held out for each split at most
MOST_HELD_OUT = 2000  # sentences of a split, by default
SHOWN = 6  # sentences


class SentencePairs(BucketedCorpus):
    """Pairs of a sentence and its translation in batches of rows of like lengths.

    Of the different source sentences some are held out: each has one pair there, with one of its
    translations, and none in training. The vocabularies are those of the training pairs. A
    sentence spelt otherwise before the cleaning is the same one.

    A corpus says where its pairs are (`place`): a line each, of two columns or three, of which the
    last is left out, parted by tabs.

    Args:
        num_pairs: Number of pairs to read, from the beginning; by default all.
        max_length: Tokens of a sentence in training, <eos> at its end among them; a longer one is
            cut. What is held out is never cut.
        min_freq: Least occurrences in the training pairs of a token of a vocabulary.
        tokenizer: Name of the tokenizer: char, word, spacy, spacy:PIPELINE, treebank, tweet,
            wordpunct, bpe or unigram; see `datamodules.text.tokenizers`.
        clean: Whether to put text in lower case, with a blank before each stop; see
            `datamodules.text.tokenizers.cleaned_sentence`.
        num_val: Sentences held out to choose by; of a stand-in at most a tenth. None: 2,000, or a
            tenth where that is less.
        num_test: Sentences held out to test on; likewise.
        split_seed: Seed of the choice of what is held out.
        shared_vocab: Whether both languages share one vocabulary.
        batch_size: Rows per batch, in each process.
        corpus: Arguments of every corpus.

    Raises:
        CorpusError: An argument is out of range, or no tokenizer is called that.
    """

    unit = "pairs"
    predicts = "--text TEXT"
    well_known: dict[str, str] = {}  # sentences to show, and how the course translates them

    def __init__(
        self,
        num_pairs: int | None = None,
        max_length: int | None = None,
        min_freq: int = 1,
        tokenizer: str = "word",
        clean: bool = True,
        num_val: int | None = 2000,
        num_test: int | None = 2000,
        split_seed: int = 0,
        shared_vocab: bool = False,
        batch_size: int = 64,
        **corpus: Any,
    ) -> None:
        super().__init__(batch_size=batch_size, **corpus)
        refuse_unknown(tokenizer)
        least = {"num_pairs": (num_pairs, 1), "max_length": (max_length, 2)}
        least |= {"min_freq": (min_freq, 1), "num_val": (num_val, 0), "num_test": (num_test, 0)}
        for name, (value, bound) in least.items():
            if value is not None and value < bound:
                raise CorpusError(f"{name} must be at least {bound}, not {value}")
        self.num_pairs, self.max_length, self.min_freq = num_pairs, max_length, min_freq
        self.tokenizer, self.clean = tokenizer, clean
        self.num_val, self.num_test = num_val, num_test
        self.shared_vocab = shared_vocab
        self.split_seed = split_seed
        self._found = 0  # pairs in the file
        self.splits = ("train", "val") if num_test == 0 else ("train", "val", "test")

    # What is read

    @property
    def place(self) -> Path:
        """Where the pairs are, once they are there."""
        raise TypeError(f"{type(self).__name__} does not say where its pairs are")

    @cached_property
    def _pairs(self) -> list[tuple[str, str]]:
        """The pairs as text, cleaned where they are to be."""
        self.prepare_data()  # facts are asked for before the Trainer does this
        rows = self.rows()
        self._found = len(rows)
        pairs = []
        for where, columns in rows[: self.num_pairs]:
            if not 2 <= len(columns) <= 3:
                raise CorpusError(
                    f"{where}: wanted a sentence and its translation, parted by a tab, and perhaps "
                    f"a third column; columns found: {len(columns)}"
                )
            source, target = map(self._cleaned, columns[:2])
            if not source.strip() or not target.strip():
                raise CorpusError(
                    f"{where}: the {'translation' if source.strip() else 'sentence'} is empty"
                )
            pairs.append((source, target))
        return pairs

    def rows(self) -> list[tuple[str, list[str]]]:
        """Where each pair is, and its columns."""
        lines = read_text(self.place).rstrip("\n").split("\n")
        return [(f"{self.place}, line {n}", line.split("\t")) for n, line in enumerate(lines, 1)]

    def _cleaned(self, sentence: str) -> str:
        return cleaned_sentence(sentence) if self.clean else composed(sentence)

    @cached_property
    def _known(self) -> dict[str, list[int]]:
        """Which pairs translate a sentence, whatever the blanks between its words."""
        known: dict[str, list[int]] = {}
        for number, (source, _) in enumerate(self._pairs):
            known.setdefault(_key(source), []).append(number)
        return known

    @staticmethod
    def fitting(number: int | None, count: int) -> int:
        """Returns how many of so many sentences are held out, of a number or by default."""
        return min(MOST_HELD_OUT, count // SHARE) if number is None else number

    @cached_property
    def _division(self) -> dict[str, Tensor]:
        """The pairs of each split.

        Raises:
            CorpusError: There are too few sentences to hold out so many.
        """
        pairs_of = list(self._known.values())
        most = max(1, len(pairs_of) // SHARE) if self.synthetic else len(pairs_of)
        wanted = (self.fitting(number, len(pairs_of)) for number in (self.num_test, self.num_val))
        num_test, num_val = (min(number, most) for number in wanted)
        held_out = num_test + num_val
        if held_out >= len(pairs_of):
            raise CorpusError(
                f"{self.title}: of {len(pairs_of):,} different sentences {num_val:,} + "
                f"{num_test:,} held out leave none to train on: lower --data.num_val and "
                "--data.num_test"
            )
        generator = seeded_generator(self.split_seed)
        order = torch.randperm(len(pairs_of), generator=generator).tolist()
        draws = torch.rand(len(pairs_of), generator=generator).tolist()
        drawn = [
            pairs_of[sentence][int(draw * len(pairs_of[sentence]))]
            for sentence, draw in zip(order[:held_out], draws, strict=False)
        ]
        rest = chain.from_iterable(pairs_of[sentence] for sentence in order[held_out:])
        return {
            "test": torch.tensor(drawn[:num_test], dtype=torch.long),
            "val": torch.tensor(drawn[num_test:], dtype=torch.long),
            "train": torch.tensor(sorted(rest)),
        }

    @cached_property
    def _sides(self) -> tuple[TokenRows, TokenRows]:
        cuts = (plain_tokens(self.tokenizer, rules) for rules in self.subwords)
        sides = zip(zip(*self._pairs, strict=True), cuts, strict=True)
        source, target = (TokenRows(side, cut) for side, cut in sides)
        return source, target

    @cached_property
    def subwords(self) -> tuple[str, str]:
        """What the tokenizer has learned of the training pairs' two sides, if it learns."""
        if not is_learned(self.tokenizer):
            return "", ""
        pairs = [self._pairs[number] for number in self._division["train"].tolist()]
        if self.shared_vocab:
            return (learned(self.tokenizer, [*chain.from_iterable(pairs)]),) * 2
        source, target = (learned(self.tokenizer, side) for side in zip(*pairs, strict=True))
        return source, target

    def read(self, split: str) -> SentenceRows:
        numbers = self._division[split]
        source, target = self._sides
        training = split == "train"
        most = self.max_length if training else None
        references = () if training else tuple(self._pairs[n][1] for n in numbers.tolist())
        return SentenceRows(
            source.indices(numbers, self.source_vocab, bos=False, most=most),
            target.indices(numbers, self.target_vocab, bos=True, most=most),
            references,
        )

    # Facts

    @cached_property
    def _vocabs(self) -> tuple[Vocab, Vocab]:
        numbers = self._division["train"]
        texts = [side.tokens(numbers) for side in self._sides]
        if self.shared_vocab:
            return (self._vocab(chain(*texts)),) * 2
        source, target = map(self._vocab, texts)
        return source, target

    def _vocab(self, tokens: Iterable[str]) -> Vocab:
        return Vocab.of(tokens, specials=SPECIALS, min_freq=self.min_freq)

    @property
    def source_vocab(self) -> Vocab:
        """Of the training sentences, and of their translations too where it is shared."""
        return self._vocabs[0]

    @property
    def target_vocab(self) -> Vocab:
        """Of the training translations, and of the sentences too where it is shared."""
        return self._vocabs[1]

    @cached_property
    def source_vocab_size(self) -> int:
        return len(self.source_vocab)

    @cached_property
    def target_vocab_size(self) -> int:
        return len(self.target_vocab)

    @cached_property
    def bos_index(self) -> int:
        return SPECIALS.index(BOS)

    @cached_property
    def eos_index(self) -> int:
        return SPECIALS.index(EOS)

    @cached_property
    def unk_index(self) -> int:
        return SPECIALS.index(UNK)

    def source_tokens(self, sentence: str) -> list[int]:
        """A sentence of one's own as the model wants it: its tokens and <eos>."""
        return self.source_vocab[
            [*plain_tokens(self.tokenizer, self.subwords[0])(self._cleaned(sentence)), EOS]
        ]

    def target_text(self, tokens: Iterable[int]) -> str:
        """The text of a translation; <pad>, <bos> and <eos> are left out."""
        unspoken = {SPECIALS.index(special) for special in (PAD, BOS, EOS)}
        spoken = [token for token in map(int, tokens) if token not in unspoken]
        return joined(self.target_vocab.tokens(spoken), self.tokenizer)

    def translations(self, sentence: str) -> tuple[str, ...]:
        """The translations of a sentence that the file has, none twice; else the course's."""
        cleaned = self._cleaned(sentence)
        numbers = self._known.get(_key(cleaned), ())
        known = dict.fromkeys(self._pairs[number][1] for number in numbers)
        return tuple(known) or tuple(filter(None, [self.well_known.get(cleaned)]))

    @property
    def examples(self) -> tuple[str, ...]:
        """Sentences to show: of those held out; where none are, the well known or the first."""
        if len(held_out := self._division["val"]):
            return tuple(self._pairs[number][0] for number in held_out[:SHOWN].tolist())
        known = {} if self.synthetic else self.well_known
        return tuple(known) or tuple(self._known)[:SHOWN]

    @property
    def holds_out(self) -> bool:
        return self.num_val != 0

    # Who gets which rows

    def setup(self, stage: str) -> None:
        if stage == "test" and not (self.num_test != 0 and len(self._division["test"])):
            raise CorpusError(
                f"{self.title} has no test pairs: all are trained on, or held out to choose by; "
                "train with --data.num_test"
            )
        super().setup(stage)

    @property
    def part_read(self) -> str:
        used = len(self._pairs)
        whole = self._found if self.synthetic else self.full_size.get("train", self._found)
        return f" ({used:,} of {whole:,} pairs)" if used < whole else ""

    # What a checkpoint keeps

    def state_dict(self) -> dict[str, Any]:
        """Adds what predicting needs: the vocabularies, and how a sentence becomes tokens."""
        return {
            **super().state_dict(),
            "source_vocabulary": list(self.source_vocab.entries),
            "target_vocabulary": list(self.target_vocab.entries),
            "tokenizer": self.tokenizer,
            "clean": self.clean,
            **{f"{side}_subwords": rules for side, rules in self._learned.items() if rules},
        }

    @property
    def _learned(self) -> dict[str, str]:
        return dict(zip(("source", "target"), self.subwords, strict=True))

    def complete(self, state: dict[str, Any]) -> None:
        """Takes what the tokenizer of a checkpoint has learned, rather than to learn it again."""
        if is_learned(self.tokenizer) and "source_subwords" in state:
            self.subwords = state["source_subwords"], state["target_subwords"]

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Refuses a checkpoint that was trained on other vocabularies."""
        self.source_vocab.refuse_other(state, self.title, "source")
        self.target_vocab.refuse_other(state, self.title, "target")


def _key(sentence: str) -> str:
    return " ".join(sentence.split())
