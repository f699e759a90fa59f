"""What a generator makes as it learns: samples of the same noise after each epoch, and a film."""

from math import ceil
from pathlib import Path
from shutil import copyfile
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor
from torchvision.utils import make_grid

from zoo.training.pictures import FolderCallback, keep

SHOWN = 64  # pictures
FRAMES = 100  # of a film, at most
DPI = 120  # at which figures are kept
LEAST = 400  # pixels of a grid's side, to which small pictures are enlarged


class SampleFilm(FolderCallback):
    """Draws after each epoch, and at the end of training makes a film of the drawings.

    Writes `train_samples.png`, the newest, `samples/<epoch>.png`, and `samples.gif`. A kind of
    sample says how it is drawn (`draw`).
    """

    def draw(self, model: Any) -> Figure:
        """The samples."""
        raise TypeError(f"{type(self).__name__} does not say how samples are drawn")

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        figure = self.draw(pl_module)
        with self.writing():
            keep(trainer, self.folder, "train", {"samples": figure})
            frame = self.folder / "samples" / f"{trainer.current_epoch + 1:04}.png"
            frame.parent.mkdir(exist_ok=True)
            copyfile(self.folder / "train_samples.png", frame)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        frames = sorted((self.folder / "samples").glob("*.png"))
        if trainer.is_global_zero and frames:
            with self.writing():
                write_film(frames, self.folder / "samples.gif")


class SampleGrids(SampleFilm):
    """Pictures with pixels in [-1, 1], in a grid; of a conditional network a column a label."""

    def draw(self, model: Any) -> Figure:
        noise, labels, columns = arranged(model, SHOWN, torch.Generator().manual_seed(0))
        return draw_grid(drawn(model, noise, labels), columns)


def arranged(
    model: Any, number: int, generator: torch.Generator
) -> tuple[Tensor, Tensor | None, int]:
    """Noise for so many samples, their labels in turn where there are any, and columns of a grid.

    Args:
        model: An AdversarialGenerator.
        number: Number of samples.
        generator: Draws the noise.
    """
    noise = model.noise(number, generator)
    if not model.conditional:
        return noise, None, ceil(number**0.5)
    labels = torch.arange(number, device=noise.device) % model.num_labels
    return noise, labels, min(number, model.num_labels)


@torch.no_grad()
def drawn(model: Any, noise: Tensor, labels: Tensor | None = None, rows: int = 256) -> Tensor:
    """Samples of noise (batch, latent) as in evaluation, on the CPU.

    Args:
        model: An AdversarialGenerator.
        noise: Noise of the samples.
        labels: Labels of the samples (batch), where the network is given them.
        rows: At a time.
    """
    training = model.training
    model.eval()
    given = [None] * len(noise) if labels is None else labels.split(rows)
    parts = zip(noise.split(rows), given, strict=False)
    samples = torch.cat([model(*part).float().cpu() for part in parts])
    model.train(training)
    return samples


def draw_grid(images: Tensor, columns: int) -> Figure:
    """A grid of pictures (batch, channels, height, width) in [-1, 1], pixel by pixel."""
    pixels = ((images + 1) / 2).clamp(0, 1)
    grid = make_grid(pixels, nrow=columns, padding=max(2, images.shape[-1] // 16), pad_value=1)
    height, width = grid.shape[1:]
    zoom = max(1, ceil(LEAST / max(height, width)))
    figure = Figure(figsize=(width * zoom / DPI, height * zoom / DPI))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set_axis_off()
    axis.imshow(grid.movedim(0, -1), interpolation="nearest", aspect="auto")
    return figure


def write_film(frames: list[Path], path: Path) -> None:
    """Writes pictures of one size as an animated GIF, of many evenly chosen ones, with the last."""
    step = ceil(len(frames) / FRAMES)
    chosen = [*reversed(frames[::-1][::step])]
    images = [Image.open(frame).convert("RGB").quantize() for frame in chosen]
    times = [200] * (len(images) - 1) + [2000]
    images[0].save(path, save_all=True, append_images=images[1:], duration=times, loop=0)
