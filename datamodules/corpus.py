"""Corpus: the base of every LightningDataModule here; where files lie, who gets which rows."""

import os
import warnings
from pathlib import Path
from typing import Any

import pooch
import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader

from datamodules.batches.in_memory import Batches, WholeBatches
from datamodules.batches.samplers import EvaluationBatches, TrainBatches
from datamodules.files.download import RemoteFile, adopt, fetch
from datamodules.files.errors import CorpusError

# The sampler resumes by key, which Lightning cannot know.
warnings.filterwarnings("ignore", ".*your dataloader is not resumable.*")

Loader = DataLoader | Batches


def _as_it_is(batch: Any) -> Any:
    return batch


class Corpus(LightningDataModule):
    """Finds, or fetches, or stands in for a corpus, and hands out its batches.

    A corpus says where its files come from (`files`), writes its stand-in
    (`write_stand_in`) and reads its splits (`read`); facts about it (`num_classes` ...)
    are cached properties, which the command links to the arguments of models. `splits` are the
    rows that it has with their answers; `full_size` is how many rows the original's train and
    test have, where less may be found; `predicts` is what `zoo predict` takes, "" where it can do
    without.

    Args:
        root: Folder of the corpora; by default $ZOO_DATA, else `data`.
        batch_size: Rows a batch and process.
        synthetic: Read a small generated stand-in instead of the corpus.
        validation_fraction: Part of the training rows held out, by `split_seed`, to choose by.
        split_seed: Of the division into training and validation rows; none keeps the file's order.
        num_folds: Into how many parts the training rows are cut for cross-validation.
        fold: The part that is held out instead of `validation_fraction`, from 1 to `num_folds`.
        num_workers: Processes that gather batches; rows in memory need none.
        on_device: Keep all rows on the accelerator.
    """

    title: str
    files: tuple[RemoteFile, ...] = ()
    splits: tuple[str, ...] = ("train", "val", "test")
    full_size: dict[str, int] = {}
    predicts: str | None = None
    stand_in_version = 1

    def __init__(
        self,
        root: str | Path | None = None,
        batch_size: int = 256,
        synthetic: bool = False,
        validation_fraction: float = 0.1,
        split_seed: int | None = 0,
        num_folds: int = 5,
        fold: int | None = None,
        num_workers: int = 0,
        on_device: bool = False,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise CorpusError(f"batch_size must be at least 1, not {batch_size}")
        if not 0 <= validation_fraction < 1:
            raise CorpusError(f"validation_fraction must be in [0, 1), not {validation_fraction}")
        if num_workers < 0:
            raise CorpusError(f"num_workers must be at least 0, not {num_workers}")
        if num_folds < 2:
            raise CorpusError(f"num_folds must be at least 2, not {num_folds}")
        if fold is not None and not 1 <= fold <= num_folds:
            raise CorpusError(f"fold must be from 1 to {num_folds}, not {fold}")
        self.root = Path(root or os.environ.get("ZOO_DATA") or "data").expanduser()
        self.batch_size = batch_size
        self.synthetic = synthetic
        self.validation_fraction = validation_fraction
        self.split_seed = split_seed
        self.num_folds, self.fold = num_folds, fold
        self.num_workers = num_workers
        self.on_device = on_device
        self.data: dict[str, WholeBatches] = {}
        self._num_divided = 0  # training rows that were found, held out or not

    # What a corpus writes

    def write_stand_in(self, folder: Path) -> None:
        """Writes the synthetic stand-in as `folder`, whole or not at all."""
        raise CorpusError(f"{self.title} has no synthetic stand-in")

    def read(self, split: str) -> WholeBatches:
        """Reads the rows of a split: train, val or test."""
        raise TypeError(f"{type(self).__name__} does not say how it is read")

    @property
    def found(self) -> bool:
        """Whether the files lie under the root already, in whatever form the corpus accepts."""
        return all((self.root / file.name).is_file() for file in self.files)

    # Where the files are

    @property
    def folder(self) -> Path:
        """The folder that holds the files: the root, or the stand-in's in the cache."""
        if not self.synthetic:
            return self.root
        cache = Path(os.environ.get("ZOO_CACHE") or pooch.os_cache("zoo"))
        return cache / "synthetic" / f"{type(self).__name__}-{self.stand_in_version}"

    def prepare_data(self) -> None:
        """Finds the files, or downloads them, or writes the stand-in.

        Raises:
            CorpusError: They are not there and cannot be fetched; names them and the ways out.
        """
        if self.synthetic:
            try:
                self.write_stand_in(self.folder)
            except CorpusError as error:
                way_out = "set ZOO_CACHE to a folder that can be"
                raise CorpusError(f"the stand-in {error}: {way_out}") from error
        elif not self.found:
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
                self.data[split] = self._placed(self.read(split))

    def _placed(self, rows: WholeBatches) -> WholeBatches:
        """The rows, on the accelerator where they are to be kept there."""
        if self.on_device and self.trainer:
            return rows.to(self.trainer.strategy.root_device)
        return rows

    def train_dataloader(self) -> Loader:
        rows = self.data["train"]
        if getattr(self.trainer, "overfit_batches", 0):
            return self._evaluation_loader("train")
        sampler = TrainBatches(
            rows,
            self.batch_size,
            seed=self.seed,
            position=self._position,
            **self._ranks,
        )
        if len(sampler) == 0:
            raise CorpusError(f"{self.title}: {len(rows)} training rows are too few to train on")
        return self._loader(rows, sampler)

    def val_dataloader(self) -> Loader | list:
        """The held-out rows; nothing where none are."""
        return self._evaluation_loader("val") if len(self.data["val"]) else []

    def test_dataloader(self) -> Loader:
        return self._evaluation_loader("test")

    def _evaluation_loader(self, split: str) -> Loader:
        rows = self.data[split]
        return self._loader(rows, EvaluationBatches(rows, self.batch_size, **self._ranks))

    def _loader(self, rows: WholeBatches, sampler: TrainBatches | EvaluationBatches) -> Loader:
        on_cuda = self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
        if not self.num_workers and (self.on_device or not on_cuda):
            return Batches(rows, sampler)
        return DataLoader(
            dataset=rows,
            batch_size=None,
            sampler=sampler,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=on_cuda and not self.on_device,
            collate_fn=_as_it_is,
        )

    @property
    def _ranks(self) -> dict[str, int]:
        if self.trainer is None:
            return {"rank": 0, "num_replicas": 1}
        return {"rank": self.trainer.global_rank, "num_replicas": self.trainer.world_size}

    def _position(self, num_batches: int) -> tuple[int, int]:
        """The epoch, and the batches of it that are done, counted from the batches ever done."""
        if self.trainer is None:
            return 0, 0
        limit = self.trainer.limit_train_batches
        if limit is not None:
            limited = int(limit) if isinstance(limit, int) else int(num_batches * limit)
            num_batches = max(1, min(num_batches, limited))
        return divmod(self.trainer.fit_loop.epoch_loop.batch_progress.total.ready, num_batches)

    @property
    def seed(self) -> int:
        """Of `seed_everything`; 0 where it was not called."""
        return int(os.environ.get("PL_GLOBAL_SEED", "0"))

    @property
    def holds_out(self) -> bool:
        """Whether some of the training rows are held out to choose by."""
        return self.fold is not None or self.validation_fraction > 0

    def divide(self, num_rows: int) -> tuple[Tensor, Tensor]:
        """The rows to train on and the rows held out, disjoint, in ascending order.

        Raises:
            CorpusError: There are fewer rows than folds.
        """
        self._note_rows(num_rows)
        order = torch.arange(num_rows)
        if self.split_seed is not None:
            generator = torch.Generator().manual_seed(self.split_seed % 2**63)
            order = torch.randperm(num_rows, generator=generator)
        if self.fold is None:
            start, stop = 0, round(num_rows * self.validation_fraction)
        else:  # the first `longer` folds have one row more
            size, longer = divmod(num_rows, self.num_folds)
            start = (self.fold - 1) * size + min(self.fold - 1, longer)
            stop = start + size + (self.fold <= longer)
        rest = torch.cat([order[:start], order[stop:]])
        return rest.sort().values, order[start:stop].sort().values

    def _note_rows(self, num_rows: int) -> None:
        """Notes how many training rows there are, held out or not; refuses more folds than that."""
        self._num_divided = num_rows
        if self.fold is not None and self.num_folds > num_rows:
            raise CorpusError(
                f"{self.title}: {self.num_folds:,} folds of {num_rows:,} rows: choose at most as "
                "many folds as there are rows (--folds)"
            )

    @property
    def described(self) -> str:
        """What was read, for logs and results: "Fashion-MNIST, 55,000 train + 5,000 val rows"."""
        rows = " + ".join(f"{len(rows):,} {split}" for split, rows in self.data.items())
        kind = ", synthetic stand-in" if self.synthetic else ""
        return f"{self.title}{kind}, {rows} rows{self._share()}"

    def _share(self) -> str:
        """How much of the original that is, where it is less: " (400 of 2,000 training rows)"."""
        found = {"train": self._num_divided, "test": len(self.data.get("test", ()))}
        parts = [
            f"{found[part]:,} of {size:,} {'training' if part == 'train' else part} rows"
            for part, size in self.full_size.items()
            if not self.synthetic and 0 < found[part] < size
        ]
        return f" ({', '.join(parts)})" if parts else ""

    # What a checkpoint keeps

    def state_dict(self) -> dict[str, Any]:
        """Everything but the files: class, arguments (never `root`) and facts."""
        cls = type(self)
        arguments = {k: v for k, v in self.hparams.items() if not k.startswith("_")}
        return {"class_path": f"{cls.__module__}.{cls.__qualname__}", "arguments": arguments}
