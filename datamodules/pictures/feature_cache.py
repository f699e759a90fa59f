"""What a frozen body makes of pictures, computed once and kept in the user's cache."""

import hashlib
import io
import pickle
import zipfile
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from rich.console import Console
from rich.progress import track
from torch import Tensor, nn

from datamodules.batches.in_memory import Rows
from datamodules.files.cache import cache_folder, cached
from datamodules.files.errors import CorpusError
from datamodules.files.staging import flush
from datamodules.pictures.rows import PictureRows

VERSION = 2  # of the files and of how pictures are read
HEAD = "head"  # the child of a model that features do not pass


def refuse_unfrozen(model: Any) -> None:
    """Raises CorpusError where the features of a picture are not the same all the time."""
    name = type(model).__name__
    way_out = "leave the cache out (--data.cache_features false)"
    if not (hasattr(model, "features") and hasattr(model, "body_is_frozen")):
        raise CorpusError(f"{name} has no body whose features could be kept: {way_out}")
    if not model.body_is_frozen:
        raise CorpusError(
            f"the body of {name} learns, so that its features change: freeze it "
            f"(--model.frozen 5), or {way_out}"
        )
    if getattr(model, "test_time_flip", False):
        raise CorpusError(
            f"a mirror image has other features: --model.test_time_flip false, or {way_out}"
        )


class FeatureCache:
    """The features of pictures, by the body of one model, on the model's device.

    Args:
        trainer: Trainer of the model, whose precision is used.
        prepare: Makes of pictures as bytes what the model sees.
        facts: Description of what `prepare` does: another one has other features.
        batch_size: Pictures a batch.
    """

    def __init__(
        self, trainer: Trainer, prepare: Callable[[Tensor], Tensor], facts: str, batch_size: int
    ) -> None:
        self.model: Any = trainer.lightning_module
        self.precision: Callable[[], AbstractContextManager] = (
            trainer.precision_plugin.forward_context
        )
        self.prepare = prepare
        self.batch_size = batch_size
        self.facts = (
            f"{VERSION} {facts} {trainer.precision} {self.model.dtype} {self.model.device.type}"
        )
        self.body = _digest_of_body(self.model)

    def key(self, rows: PictureRows) -> str:
        """Names the features: of this body, these pictures in this order, so prepared."""
        digest = hashlib.sha256(f"{self.body} {rows.size} {rows.channels} {self.facts}".encode())
        for picture in rows.pictures:
            digest.update(f"\n{picture.stamp}".encode())
        return digest.hexdigest()

    def features(self, rows: PictureRows) -> Tensor:
        """Features (rows, channels) on the CPU: read, or computed and written.

        Raises:
            CorpusError: A picture cannot be read, or the cache cannot be written.
        """
        path = cache_folder("features") / f"{self.key(rows)}.pt"
        load, compute = partial(_read, num_rows=len(rows)), partial(self._computed, rows)
        return cached(path, load, compute, _write)

    def _computed(self, rows: PictureRows) -> Tensor:
        modes = [(module, module.training) for module in self.model.modules()]
        self.model.eval()
        try:
            with torch.no_grad():
                return torch.cat([self._batch(rows, i) for i in self._batches(len(rows))])
        finally:
            for module, mode in modes:
                module.training = mode

    def _batches(self, num_rows: int) -> Iterable[Tensor]:
        batches = torch.arange(num_rows).split(self.batch_size)
        console = Console(stderr=True)
        return track(batches, "features", console=console, disable=not console.is_terminal)

    def _batch(self, rows: PictureRows, indices: Tensor) -> Tensor:
        images = self.prepare(rows[Rows(0, indices)][0].to(self.model.device))
        with self.precision():
            features = self.model.features(images.to(self.model.dtype))
        return features.flatten(1).cpu()


def _digest_of_body(model: nn.Module) -> str:
    """Of all that features pass: the layers as they print, parameters and buffers."""
    digest = hashlib.sha256(f"{type(model).__module__}.{type(model).__qualname__}".encode())
    for name, child in model.named_children():
        if name != HEAD:
            digest.update(f"\n{name} {child}".encode())
    for name, tensor in chain(model.named_parameters(), model.named_buffers()):
        if not name.startswith(f"{HEAD}."):
            digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
            values = tensor.detach().cpu().contiguous().reshape(-1)
            digest.update(values.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _read(path: Path, num_rows: int) -> Tensor | None:
    """The features in a file; none where it is not there, or is damaged."""
    try:
        content = path.read_bytes()
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if archive.testzip():
                return None
        features = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile):
        return None
    fits = isinstance(features, Tensor) and features.ndim == 2 and len(features) == num_rows
    return features if fits else None


def _write(path: Path, features: Tensor) -> None:
    content = io.BytesIO()
    torch.save(features, content)
    with path.open("xb") as file:
        file.write(content.getbuffer())
        flush(file)
