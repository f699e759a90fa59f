"""Checkpoints of models and corpora that others wrote: what they are, to be used again."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from zoo.version import CHECKPOINT_FORMAT, zoo_version


class ForeignClasses(Callback):
    """Notes class paths and arguments in checkpoints, which the zoo's own classes do themselves.

    Args:
        model: Class path and arguments of the model, as plain data; None for one of the zoo.
        corpus: Likewise of the datamodule.
    """

    def __init__(self, model: dict[str, Any] | None, corpus: dict[str, Any] | None) -> None:
        self.model, self.corpus = model, corpus

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        noted = checkpoint.setdefault("zoo", {})
        if self.model:
            noted |= {"version": zoo_version(), "format": CHECKPOINT_FORMAT, "corpus": None}
            noted |= {"class_path": self.model["class_path"]}
            noted |= {"arguments": self.model.get("init_args") or {}}
        if self.corpus:
            noted["data"] = self.corpus
