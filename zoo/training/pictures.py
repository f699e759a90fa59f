"""Pictures of a run: files in its folder, shown in Weights & Biases too."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import WandbLogger
from matplotlib.figure import Figure
from torch import Tensor
from torchmetrics.classification import MulticlassConfusionMatrix

from zoo.errors import InputError
from zoo.files import written_whole
from zoo.training.corpus import WithLabels, corpus_of


class FolderCallback(Callback):
    """Base of the callbacks that write files; where they cannot be written the run goes on.

    Args:
        folder: Folder of the files.
    """

    failure = ""  # why the first file that could not be written was not

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keeps the reason why a file cannot be written, for the end."""
        try:
            yield
        except OSError as error:
            reason = f"{error.filename or self.folder}: cannot be written ({error.strerror})"
            self.failure = self.failure or reason
        except InputError as error:
            self.failure = self.failure or str(error)


class EvaluationPictures(FolderCallback):
    """Draws `<stage>_<name>.png`, after training of the last validation and after testing.

    A family says what it keeps of the batches (`reset`, `update`) and what it makes of it: `draw`,
    and for W&B the rows of a table of the last validation, `validation/predictions`.
    """

    columns: tuple[str, ...] = ()  # of the table; none where there is none

    def reset(self, trainer: Trainer, model: LightningModule) -> None:
        """Forgets earlier evaluations."""

    def update(self, batch: Any, predictions: Any) -> None:
        """Adds a batch and the predictions of its rows."""

    def draw(self, trainer: Trainer, model: LightningModule) -> dict[str, Figure]:
        """The figures by name, none where there is nothing to see; every rank calls this."""
        return {}

    def table(self, trainer: Trainer) -> list[list[Any]]:
        """The rows of the table, none where there is nothing to see."""
        return []

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.reset(trainer, pl_module)

    on_test_epoch_start = on_validation_epoch_start

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if outputs is not None:
            self.update(batch, outputs["predictions"])

    on_test_batch_end = on_validation_batch_end

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        figures = self.draw(trainer, pl_module)
        with self.writing():
            keep(trainer, self.folder, "validation", figures)
            loggers = wandb_loggers(trainer) if self.columns and trainer.is_global_zero else []
            rows = self.table(trainer) if loggers else []
            for logger in loggers if rows else ():
                logger.log_table("validation/predictions", [*self.columns], rows)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        figures = self.draw(trainer, pl_module)
        with self.writing():
            keep(trainer, self.folder, "test", figures)


class ConfusionPictures(EvaluationPictures):
    """Writes `<stage>_confusion.png`, where the corpus names its labels."""

    names: tuple[str, ...]  # of the classes; none where the corpus does not name them
    confusion: MulticlassConfusionMatrix

    def reset(self, trainer: Trainer, model: LightningModule) -> None:
        corpus = corpus_of(trainer, WithLabels)
        self.names = tuple(corpus.labels or ()) if corpus else ()
        if self.names:
            self.confusion = MulticlassConfusionMatrix(len(self.names)).to(model.device)

    def update(self, batch: tuple[Tensor, ...], predictions: Tensor) -> None:
        if self.names:
            self.confusion.update(predictions, batch[-1])

    def draw(self, trainer: Trainer, model: LightningModule) -> dict[str, Figure]:
        if not self.names:
            return {}
        counts = self.confusion.compute().cpu()  # every rank takes part in the sum
        if not (counts.any() and trainer.is_global_zero):
            return {}
        return {"confusion": draw_confusion(counts, self.names)}


def keep(trainer: Trainer, folder: Path, stage: str, figures: dict[str, Figure]) -> None:
    """Writes each figure as `<stage>_<name>.png` into `folder`, and hands it to W&B; on rank 0."""
    for name, figure in figures.items() if trainer.is_global_zero else ():
        path = folder / f"{stage}_{name}.png"
        with written_whole(path) as partial:
            figure.savefig(partial, dpi=120, format="png")
        for logger in wandb_loggers(trainer):
            logger.log_image(f"{stage}/{name}", [str(path)])


def wandb_loggers(trainer: Trainer) -> list[WandbLogger]:
    """Returns the loggers of a trainer that log to W&B."""
    return [logger for logger in trainer.loggers if isinstance(logger, WandbLogger)]


def draw_confusion(counts: Tensor, names: tuple[str, ...]) -> Figure:
    """Rows are the true classes, columns the predicted ones; shade is the share of the row."""
    few = len(names) <= 20
    size = 1.8 + (0.5 if few else 0.14) * len(names)
    figure = Figure(figsize=(size, size), layout="constrained")
    axis = figure.subplots()
    shares = counts / counts.sum(dim=1, keepdim=True).clamp(min=1)
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    ticks = range(len(names))
    axis.set_xticks(ticks, names, rotation=45 if few else 90, ha="right" if few else "center")
    axis.set_yticks(ticks, names)
    axis.tick_params(labelsize="medium" if few else 6)
    axis.set_xlabel("predicted")
    axis.set_ylabel("true")
    for row, column in torch.nonzero(counts).tolist() if few else ():
        color = "white" if shares[row, column] > 0.5 else "black"
        count = str(int(counts[row, column]))
        axis.text(column, row, count, ha="center", va="center", fontsize=8, color=color)
    return figure
