"""Two pictures: what is to be seen, and in which style; any two files of yours.

Source: the files that --data.content and --data.style name; by default the course's: Zhang et al.
        2023, https://d2l.ai/chapter_computer-vision/neural-style.html
Batch: (content, style)
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.utils.data import Sampler

from datamodules.batches.in_memory import Batches, WholeBatches
from datamodules.batches.loop_progress import position
from datamodules.corpus import Loader
from datamodules.files.errors import CorpusError
from datamodules.files.file_paths import FilePath
from datamodules.pictures.style_corpus import CONTENT, LEAST, STYLE, StyleCorpus, size_at


class SizedPairs(WholeBatches):
    """The two pictures at each size.

    Args:
        pairs: Pairs of pictures (1, 3, height, width), the smallest first.
    """

    def __init__(self, pairs: Sequence[tuple[Tensor, Tensor]]) -> None:
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return self.pairs[index]


class StylePair(StyleCorpus):
    """Content and style, the same two in each step, larger and larger.

    An epoch is a number of steps; the run's are shared out evenly among the sizes.

    Args:
        content: The picture of what is to be seen.
        style: The picture whose style is wanted.
        sizes: Heights that both pictures get one after another, in pixels; widths follow.
        num_steps: Steps an epoch.
        root: Folder of the corpora; by default $ZOO_DATA, else `data`.
        synthetic: Whether to take a drawn landscape and a drawn painting.

    Raises:
        CorpusError: A size or a number of steps is too small.
    """

    title = "Style pair"
    files = (CONTENT, STYLE)
    splits = ("train",)
    predicts = ""

    def __init__(
        self,
        content: str | Path | None = None,
        style: str | Path | None = None,
        sizes: Sequence[int] = (150,),
        num_steps: int = 50,
        root: str | Path | None = None,
        synthetic: bool = False,
    ) -> None:
        super().__init__(style, root=root, synthetic=synthetic)
        if not sizes or min(sizes) < LEAST or num_steps < 1:
            raise CorpusError(
                f"sizes are {list(sizes)} and num_steps {num_steps}; they have to be at least "
                f"{LEAST} and 1"
            )
        self.save_hyperparameters(ignore=["root", "content", "style"], logger=False)
        self.chosen = {CONTENT.name: content, **self.chosen}
        self.sizes, self.num_steps = tuple(sizes), num_steps
        self.rows = SizedPairs([])

    @cached_property
    def image_sizes(self) -> list[list[int]]:
        self.prepare_data()
        return [list(size_at(FilePath(self.place(CONTENT.name)), height)) for height in self.sizes]

    def setup(self, stage: str) -> None:
        names = (CONTENT.name, STYLE.name)
        pairs = [[self.read_scaled(name, height) for name in names] for height in self.sizes]
        placed = [[picture.to(self.device, self.dtype) for picture in pair] for pair in pairs]
        self.rows = SizedPairs([(content, style) for content, style in placed])

    def train_dataloader(self) -> Loader:
        return Batches(self.rows, SizesInTurn(self))

    def val_dataloader(self) -> list:
        """Returns no loader: one picture is painted, and its loss measured at each step."""
        return []

    @property
    def described(self) -> str:
        content, style = (self.place(name).name for name in self.chosen)
        drawn = "synthetic stand-in, " if self.synthetic else ""
        return f"{self.title}, {drawn}{content} in the style of {style}"


class SizesInTurn(Sampler):
    """Which size each step of an epoch has: a function of the steps done, so that a resume goes on.

    Args:
        corpus: Corpus whose trainer knows how long the run is.
    """

    def __init__(self, corpus: StylePair) -> None:
        self.corpus = corpus

    def __len__(self) -> int:
        return self.corpus.num_steps

    def __iter__(self) -> Iterator[int]:
        trainer, sizes, steps = self.corpus.trainer, len(self.corpus.sizes), len(self)
        epoch, done, total = 0, 0, steps
        if trainer:
            epoch, done = position(trainer)
            steps = int(trainer.num_training_batches)
            epochs = trainer.max_epochs or 0
            total = epochs * steps if epochs > 0 else 0
            if trainer.max_steps > 0:
                most = trainer.max_steps * trainer.accumulate_grad_batches
                total = min(total or most, most)
        for step in range(epoch * steps + done, (epoch + 1) * steps):
            yield min(step * sizes // total, sizes - 1) if total else sizes - 1
