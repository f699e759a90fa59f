"""Corpus: the base of every LightningDataModule here; where files lie, who gets which rows."""

import os
import warnings
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader

from datamodules.batches.in_memory import Batches, WholeBatches
from datamodules.batches.loop_progress import position
from datamodules.batches.samplers import EvaluationBatches, TrainBatches
from datamodules.batches.worker_loader import WorkerLoader
from datamodules.files.cache import cache_folder
from datamodules.files.download import RemoteFile, adopt, fetch
from datamodules.files.errors import CorpusError
from datamodules.files.file_paths import within

# The sampler resumes by key, which Lightning cannot know.
warnings.filterwarnings("ignore", ".*your dataloader is not resumable.*")

Loader = DataLoader | Batches


def _as_it_is(batch: Any) -> Any:
    return batch


class Corpus(LightningDataModule):
    """Finds, downloads or generates the files of a corpus, and loads its batches.

    A corpus says where its files come from (`files`), writes its synthetic data
    (`write_synthetic`) and reads its splits (`read`); facts about it (`num_classes` ...)
    are cached properties, which the command links to the arguments of models. `splits` are the
    parts whose rows have labels or targets; `full_size` is the number of rows of the original's
    train and test, of which fewer may be found; `unit` is what a row is called; `predicts` is what
    `zoo predict` takes, "" if it needs nothing.

    Args:
        root: Folder of the corpora; by default $ZOO_DATA, else `data`.
        batch_size: Rows per batch, in each process.
        synthetic: Whether to read a small generated stand-in instead of the corpus.
        num_workers: Processes that gather batches; rows in memory need none.
        on_device: Whether to keep all rows on the accelerator.
    """

    title: str
    unit: str = "rows"
    files: tuple[RemoteFile, ...] = ()
    splits: tuple[str, ...] = ("train", "val", "test")
    full_size: dict[str, int] = {}
    predicts: str | None = None
    synthetic_version = 1

    def __init__(
        self,
        root: str | Path | None = None,
        batch_size: int = 256,
        synthetic: bool = False,
        num_workers: int = 0,
        on_device: bool = False,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise CorpusError(f"batch_size must be at least 1, not {batch_size}")
        if num_workers < 0:
            raise CorpusError(f"num_workers must be at least 0, not {num_workers}")
        self.root = Path(root or os.environ.get("ZOO_DATA") or "data").expanduser()
        self.batch_size = batch_size
        self.synthetic = synthetic
        self.num_workers = num_workers
        self.on_device = on_device
        self.data: dict[str, Any] = {}  # rows of each split that was read, as `WholeBatches`

    # What a corpus writes

    def write_synthetic(self, folder: Path) -> None:
        """Writes the synthetic stand-in as `folder`, whole or not at all."""
        raise CorpusError(f"{self.title} has no synthetic stand-in")

    def read(self, split: str) -> WholeBatches:
        """Reads the rows of a split: train, val or test."""
        raise TypeError(f"{type(self).__name__} does not say how it is read")

    @property
    def files_exist(self) -> bool:
        """Whether the files lie under the root already, in whatever form the corpus accepts."""
        return all((self.root / file.name).is_file() for file in self.files)

    # Where the files are

    @property
    def is_testing(self) -> bool:
        """Whether the test part is all that is read."""
        return self.trainer is not None and self.trainer.testing

    @property
    def folder(self) -> Path:
        """The folder that holds the files: the root, or the stand-in's in the cache."""
        if not self.synthetic:
            return self.root
        return cache_folder("synthetic") / f"{type(self).__name__}-{self.synthetic_version}"

    def locate(self, path: str | Path) -> Path:
        """Returns a path that the user gave: from the current folder or else from the root."""
        here = Path(path).expanduser()
        return here if within(here)[0].exists() else self.root / here

    def refuse_absent(self, *paths: str | Path | None) -> None:
        """Raises CorpusError if there is no file at one of the paths; None is no path."""
        for path in paths:
            if path is not None and not within(self.locate(path))[0].is_file():
                raise CorpusError(f"{path}: there is no such file, here or under {self.root}")

    def prepare_data(self) -> None:
        """Finds the files, or downloads them, or writes the stand-in.

        Raises:
            CorpusError: They are not there and cannot be fetched; names them and the ways out.
        """
        if self.synthetic:
            try:
                self.write_synthetic(self.folder)
            except CorpusError as error:
                way_out = "set ZOO_CACHE to a folder that can be"
                raise CorpusError(f"the stand-in {error}: {way_out}") from error
        elif not self.files_exist:
            self.download()

    def download(self) -> None:
        """Fetches the missing files from the first mirror that works.

        Raises:
            CorpusError: No mirror gave a whole file.
        """
        for file in self.files:
            if (self.root / file.name).is_file():
                continue  # perhaps the user's own: never replaced
            try:
                fetch(file, self.root, progress=True)
            except (CorpusError, OSError) as error:
                reason = str(error).partition("; put a copy")[0]
                names = ", ".join(Path(file.name).name for file in self.files)
                fetched = f"`zoo prepare {type(self).__name__} --from FOLDER`"
                raise CorpusError(
                    f"{self.title} is not under {self.root} and could not be downloaded "
                    f"({reason}); wanted in {self.root / Path(file.name).parent}: {names}; "
                    f"fetch them elsewhere and run {fetched}, or try the generated stand-in: "
                    "--data.synthetic true"
                ) from error

    def adopt(self, source: Path) -> list[Path]:
        """Takes over files fetched by hand: `source` is one of them or a folder that holds them.

        Raises:
            CorpusError: There is no such file, or it is not the right one.
        """
        names = {Path(file.name).name: file for file in self.files}
        candidates = [source / name for name in names] if source.is_dir() else [source]
        present = [path for path in candidates if path.is_file() and path.name in names]
        if not present:
            raise CorpusError(f"{source} holds none of {', '.join(names)}")
        return [adopt(names[path.name], path, self.root) for path in present]

    # Who gets which rows

    def setup(self, stage: str) -> None:
        splits = {"fit": ("train", "val"), "validate": ("val",), "test": ("test",)}
        for split in splits.get(stage, ()):
            if split not in self.splits:
                raise CorpusError(
                    f"{self.title} has no {split} rows with their answers: measure on those held "
                    "out with `zoo validate`"
                )
            if split not in self.data:
                self.data[split] = self.to_device(self.read(split))

    def to_device(self, rows: WholeBatches) -> WholeBatches:
        """Moves rows to the accelerator if they are to be kept there (`on_device`)."""
        if self.on_device and self.trainer:
            return rows.to(self.trainer.strategy.root_device)
        return rows

    def train_dataloader(self) -> Loader:
        if getattr(self.trainer, "overfit_batches", 0):
            return self.evaluation_loader("train")
        rows = self.data["train"]
        sampler = self.train_sampler(rows)
        if len(sampler) == 0:
            raise CorpusError(
                f"{self.title}: {len(rows)} training {self.unit} are too few to train on"
            )
        return self.loader(rows, sampler)

    def val_dataloader(self) -> Loader | list:
        """Returns the loader of the validation rows, or no loader if there are none."""
        return self.evaluation_loader("val") if len(self.data["val"]) else []

    def test_dataloader(self) -> Loader:
        return self.evaluation_loader("test")

    def evaluation_loader(self, split: str) -> Loader:
        """Returns a loader that yields each row of a split once, in the same order every time."""
        rows = self.data[split]
        return self.loader(rows, self.evaluation_sampler(rows))

    def train_sampler(self, rows: Any) -> TrainBatches:
        """Returns the sampler of training batches; a corpus may override it."""
        return TrainBatches(rows, self.batch_size, **self.run_options)

    def evaluation_sampler(self, rows: Any) -> EvaluationBatches:
        """Returns the sampler of evaluation batches; a corpus may override it."""
        return EvaluationBatches(rows, self.batch_size, **self.ranks)

    def loader(self, rows: WholeBatches, sampler: TrainBatches | EvaluationBatches) -> Loader:
        """Returns a loader of the batches that a sampler draws, in this process or in workers."""
        on_cuda = self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
        if not self.num_workers and (self.on_device or not on_cuda):
            return Batches(rows, sampler)
        return WorkerLoader(
            dataset=rows,
            batch_size=None,
            sampler=sampler,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=on_cuda and not self.on_device,
            collate_fn=_as_it_is,
        )

    @property
    def ranks(self) -> dict[str, int]:
        """Rank and number of processes, as samplers take them."""
        if self.trainer is None:
            return {"rank": 0, "num_replicas": 1}
        return {"rank": self.trainer.global_rank, "num_replicas": self.trainer.world_size}

    @property
    def run_options(self) -> dict[str, Any]:
        """Seed, position, rank and number of processes, for the sampler of training batches."""
        return {"seed": self.seed, "position": self.position, **self.ranks}

    def position(self, num_batches: int) -> tuple[int, int]:
        """Returns the epoch, and how many of its `num_batches` batches are done."""
        epoch, done = position(self.trainer) if self.trainer else (0, 0)
        return (epoch, done) if done < num_batches else (epoch + 1, 0)

    @property
    def seed(self) -> int:
        """Seed given to `seed_everything`; 0 if it was not called."""
        return int(os.environ.get("PL_GLOBAL_SEED", "0"))

    @property
    def holds_out(self) -> bool:
        """Whether there are validation rows."""
        return "val" in self.splits

    # What was read

    @property
    def described(self) -> str:
        """What was read, for logs and results: "Fashion-MNIST, 55,000 train + 5,000 val rows"."""
        kind = ", synthetic stand-in" if self.synthetic else ""
        return f"{self.title}{kind}, {self.size_read}{self.part_read}"

    @property
    def size_read(self) -> str:
        """How much was read of each split: "55,000 train + 5,000 val rows"."""
        rows = " + ".join(f"{len(rows):,} {split}" for split, rows in self.data.items())
        return f"{rows} {self.unit}"

    @property
    def part_read(self) -> str:
        """Which part of the original that is, if not all: " (400 of 2,000 training rows)"."""
        return ""

    # What a checkpoint keeps

    def state_dict(self) -> dict[str, Any]:
        """Everything but the files: class, arguments (never `root`) and facts."""
        cls = type(self)
        arguments = {k: v for k, v in self.hparams.items() if not k.startswith("_")}
        return {"class_path": f"{cls.__module__}.{cls.__qualname__}", "arguments": arguments}

    def complete(self, state: dict[str, Any]) -> None:
        """Takes from a checkpoint's state what the files do not tell, where a part is absent.

        Before any fact is read: the vocabulary or the classes of the training part, for testing.
        """
