"""Paintings of a run: one picture as it comes about, or several beside what they show."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from zoo.files import written_whole
from zoo.pretrained.tapped_network import MEAN, STD
from zoo.training.pictures import EvaluationPictures, FolderCallback, wandb_loggers

PROGRESS = 10  # pictures of a painting that comes about
SHOWN = 6


class PaintingPictures(FolderCallback):
    """Writes some ten `epoch-<number>.png` in a run, and at its end `result.png`, for W&B too."""

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        epochs = max(trainer.max_epochs or 0, PROGRESS)
        done = trainer.current_epoch + 1
        if done % (epochs // PROGRESS) == 0:
            self._write(trainer, pl_module, f"epoch-{done:0{len(str(epochs))}}")

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        path = self._write(trainer, pl_module, "result")
        for logger in wandb_loggers(trainer) if path else ():
            logger.log_image("result", [str(path)])

    def _write(self, trainer: Trainer, model: Any, name: str) -> Path | None:
        if not trainer.is_global_zero:
            return None
        path = self.folder / f"{name}.png"
        with self.writing():
            write_picture(path, as_bytes(model.painting)[0])
        return path if path.exists() else None


class StyledPictures(EvaluationPictures):
    """Writes `<stage>_styled.png`: above what is held out, below how the model paints it."""

    shown: list[tuple[Tensor, Tensor]]

    def reset(self, trainer: Trainer, model: LightningModule) -> None:
        self.shown = []

    def update(self, batch: tuple[Tensor, Tensor], predictions: Tensor) -> None:
        if len(self.shown) < SHOWN:
            self.shown += zip(as_bytes(batch[0]), as_bytes(predictions), strict=True)

    def draw(self, trainer: Trainer, model: LightningModule) -> dict[str, Figure]:
        pairs = self.shown[:SHOWN]
        if not (pairs and trainer.is_global_zero):
            return {}
        figure = Figure(figsize=(2 * len(pairs), 4.2), layout="constrained")
        axes = figure.subplots(2, len(pairs), squeeze=False)
        for column, pair in zip(axes.T, pairs, strict=True):
            for axis, picture in zip(column, pair, strict=True):
                axis.imshow(picture.movedim(0, -1))
                axis.set_axis_off()
        return {"styled": figure}


def as_bytes(images: Tensor) -> Tensor:
    """Pictures that are normalised as ImageNet is -> uint8, on the CPU."""
    pixels = images.float().cpu()
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (MEAN, STD))
    return (pixels * std + mean).clamp(0, 1).mul(255).round().to(torch.uint8)


def write_picture(path: Path, picture: Tensor) -> None:
    """Writes uint8 (3, height, width) as PNG, whole or not at all.

    Raises:
        InputError: The file cannot be written.
    """
    with written_whole(path) as partial:
        Image.fromarray(picture.movedim(0, -1).contiguous().numpy()).save(partial, "PNG")
