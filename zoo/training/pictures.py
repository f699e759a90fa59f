"""Pictures of a run: files in its folder, shown in Weights & Biases too."""

from pathlib import Path

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import WandbLogger
from matplotlib.figure import Figure


def keep(trainer: Trainer, folder: Path, stage: str, figures: dict[str, Figure]) -> None:
    """Writes each figure as `<stage>_<name>.png` into `folder`, and hands it to W&B."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        path = folder / f"{stage}_{name}.png"
        figure.savefig(path, dpi=120)
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_image(f"{stage}/{name}", [str(path)])
