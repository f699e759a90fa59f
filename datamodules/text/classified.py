"""Corpora of texts and their classes.

Batch: (tokens, lengths, labels)
"""

from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from datamodules.batches.held_out import HeldOut
from datamodules.batches.length_buckets import BucketedCorpus
from datamodules.batches.ragged import Ragged
from datamodules.files.errors import CorpusError
from datamodules.text.folders import LabelledText
from datamodules.text.review_rows import ReviewRows, cleaned_review
from datamodules.text.subwords import is_learned, learned
from datamodules.text.token_rows import TokenRows
from datamodules.text.tokenizers import plain_tokens, refuse_unknown
from datamodules.text.vocabulary import PAD, UNK, Vocab
from datamodules.words.pretrained_vectors import WordVectors, read_vectors


class ClassifiedTexts(BucketedCorpus, HeldOut):
    """Texts in batches of rows of like lengths, of which some of each class are held out.

    A corpus says where its texts are (`texts`) and how their classes are called (`labels`).

    Args:
        tokenizer: Name of the tokenizer: char, word, spacy, spacy:PIPELINE, treebank, tweet,
            wordpunct, bpe or unigram; see `datamodules.text.tokenizers`.
        clean: Whether to put text in lower case, without line breaks, with blanks around stops; see
            `datamodules.text.review_rows.cleaned_review`.
        min_freq: Least occurrences in the training texts of a token of the vocabulary.
        max_length: Tokens that are read of a text, from its beginning; none reads all.
        vectors: A file of word vectors for the embeddings to begin with, as GloVe, word2vec or
            fastText write them; see `datamodules.words.pretrained_vectors`. A checkpoint does not
            keep its name.
        batch_size: Rows per batch, in each process.
        corpus: Arguments of every corpus.

    Raises:
        CorpusError: An argument is out of range, or no tokenizer is called that.
    """

    labels: tuple[str, ...]
    predicts = "--text TEXT"

    def __init__(
        self,
        tokenizer: str = "word",
        clean: bool = True,
        min_freq: int = 5,
        max_length: int | None = 500,
        vectors: str | Path | None = None,
        batch_size: int = 64,
        **corpus: Any,
    ) -> None:
        super().__init__(batch_size=batch_size, **corpus)
        refuse_unknown(tokenizer)
        for name, value in (("min_freq", min_freq), ("max_length", max_length)):
            if value is not None and value < 1:
                raise CorpusError(f"{name} must be at least 1, not {value}")
        self.tokenizer, self.clean = tokenizer, clean
        self.min_freq, self.max_length = min_freq, max_length
        self.vectors = Path(vectors).expanduser() if vectors is not None else None
        self._read: dict[str, list[LabelledText]] = {}
        self._parts: dict[str, tuple[TokenRows, Tensor]] = {}
        self._num_known = 0  # words of the vocabulary that have a vector

    # What is read

    def texts(self, part: str) -> list[LabelledText]:
        """Returns the texts of a part: train, test, or val where there is one."""
        raise TypeError(f"{type(self).__name__} does not say where its texts are")

    def _texts(self, part: str) -> list[LabelledText]:
        """Returns the texts of a part, which are read once."""
        if part not in self._read:
            self.prepare_data()  # facts are asked for before the Trainer does this
            self._read[part] = self.texts(part)
        return self._read[part]

    def part_of(self, split: str) -> str:
        """Returns the part that a split is taken from."""
        return "test" if split == "test" else "train"

    def _part(self, part: str) -> tuple[TokenRows, Tensor]:
        """Returns the texts of a part, cut to their first tokens, and their classes.

        Raises:
            CorpusError: A file cannot be read or has no token; names it.
        """
        if part not in self._parts:
            found = self._texts(part)
            rows = TokenRows((file.text for file in found), self.tokens)
            if not rows.lengths.all():
                where = found[int(rows.lengths.argmin())].place
                raise CorpusError(f"{where}: there is no {self.tokenizer} token in it")
            self._parts[part] = rows, torch.tensor([file.label for file in found])
        return self._parts[part]

    def tokens(self, text: str) -> list[str]:
        """Returns the tokens of a text that are read."""
        return plain_tokens(self.tokenizer, self.subwords)(self._cleaned(text))[: self.max_length]

    def _cleaned(self, text: str) -> str:
        return cleaned_review(text) if self.clean else text

    @cached_property
    def subwords(self) -> str:
        """What the tokenizer has learned of the texts that are trained on, if it learns."""
        if not is_learned(self.tokenizer):
            return ""
        found = self._texts("train")
        return learned(
            self.tokenizer, [self._cleaned(found[i].text) for i in self._division["train"]]
        )

    @cached_property
    def _division(self) -> dict[str, Tensor]:
        """The training texts to train on, and those held out of each class."""
        labels = torch.tensor([text.label for text in self._texts("train")])
        if self.part_of("val") == "val":
            return {"train": torch.arange(len(labels))}
        train, val = self.divide_classes(labels)
        return {"train": train, "val": val}

    def read(self, split: str) -> ReviewRows:
        rows, labels = self._part(self.part_of(split))
        whole = self.part_of(split) != "train"
        chosen = torch.arange(len(labels)) if whole else self._division[split]
        index = torch.tensor(self.vocab[rows.kinds], dtype=torch.long)
        return ReviewRows(Ragged(index[rows.flat], rows.lengths), labels, chosen)

    # Facts

    @cached_property
    def _vocab(self) -> Vocab:
        training = self._part("train")[0].tokens(self._division["train"])
        return Vocab.of(training, specials=(PAD, UNK), min_freq=self.min_freq)

    @property
    def vocab(self) -> Vocab:
        """The vocabulary of the texts that are trained on."""
        return self._vocab

    @cached_property
    def vocab_size(self) -> int:
        return len(self.vocab)

    @cached_property
    def num_classes(self) -> int:
        return len(self.labels)

    @property
    def embedding_weights(self) -> Tensor | None:
        """A vector for each entry of the vocabulary, float32 (vocab_size, values), if any.

        <pad> has zeros. Words without a vector have one at random, always the same, whose values
        are spread as those of the others.

        Raises:
            CorpusError: The file cannot be read, or has none of the words.
        """
        return None if self.vectors is None else self._embedding_weights

    @cached_property
    def _embedding_weights(self) -> Tensor:
        found: WordVectors = read_vectors(str(self.vectors), wanted=self.vocab.entries)
        if len(found.words) == 0:
            raise CorpusError(
                f"{self.vectors}: it has none of the {len(self.vocab):,} words of {self.title}"
            )
        self._num_known = len(found.words)
        std, mean = torch.std_mean(found.vectors, correction=0)
        drawn = torch.randn(
            len(self.vocab), found.vectors.shape[1], generator=Generator().manual_seed(0)
        )
        weights = mean + std * drawn
        weights[self.vocab[PAD]] = 0.0
        weights[self.vocab[found.words]] = found.vectors
        return weights

    # Who gets which rows

    def setup(self, stage: str) -> None:
        super().setup(stage)
        if stage == "fit" and self.vectors is not None:
            _ = self._embedding_weights  # said in what was read

    @property
    def described(self) -> str:
        known = f"; vectors of {self._num_known:,} of the {len(self.vocab):,} words"
        return super().described + (known if self._num_known else "")

    # What a checkpoint keeps

    def state_dict(self) -> dict[str, Any]:
        """Adds what predicting needs: classes, vocabulary, and how a text becomes tokens."""
        return {
            **super().state_dict(),
            "classes": list(self.labels),
            "vocabulary": list(self.vocab.entries),
            "tokenizer": self.tokenizer,
            "clean": self.clean,
            "max_length": self.max_length,
            **({"subwords": self.subwords} if self.subwords else {}),
        }

    def complete(self, state: dict[str, Any]) -> None:
        """Takes what the tokenizer of a checkpoint has learned, rather than to learn it again.

        And its vocabulary, where the texts that it is of cannot be read.
        """
        if is_learned(self.tokenizer) and "subwords" in state:
            self.subwords = state["subwords"]
        try:
            if self.synthetic or self.files_exist:
                _ = self.vocab
        except CorpusError:
            self._vocab = Vocab(state["vocabulary"])

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Refuses a checkpoint that was trained on another vocabulary."""
        self.vocab.refuse_other(state, self.title)
