"""Checkpoints: written whole or not at all, verified before they are read, plain data only."""

import os
import pickle
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.plugins.io import TorchCheckpointIO

from zoo.catalogue import CORPUS, OWN, TASK, imported, is_a, owner, renamed, trusted
from zoo.checkpoints import checked_archive, safetensors_file
from zoo.checkpoints.bundled import bundled, resolved
from zoo.errors import InputError
from zoo.files import remove_partial
from zoo.version import CHECKPOINT_FORMAT


class DurableCheckpointIO(TorchCheckpointIO):
    """Checkpoints that are written whole or not at all, with a checksum.

    Lightning stages in the temporary folder and copies over the old file where that lies on
    another filesystem; a kill or a full disk then costs both.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Raises InputError where it cannot be written; an older file is as it was."""
        noted = checkpoint.get("zoo", {})
        if "arguments" in noted:  # of a foreign model, whose own notes may be no plain data
            checkpoint["hyper_parameters"] = noted["arguments"]
        if "data" in noted:
            checkpoint.pop("datamodule_hyper_parameters", None)
        for left in Path(path).parent.glob(".*.ckpt.partial"):  # by a kill
            remove_partial(left)
        checked_archive.write(checkpoint, Path(path))

    def load_checkpoint(
        self, path: Any, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        checkpoint = read(path)
        if "pytorch-lightning_version" not in checkpoint:
            raise InputError(f"{path}: not written by a Trainer: it lacks the version of Lightning")
        return checkpoint


def read(path: str | Path) -> dict[str, Any]:
    """Reads a checkpoint onto the CPU, after a check of every byte; runs no code from it.

    Args:
        path: Of the file, or the name of a trained model that comes with the zoo.

    Raises:
        InputError: The file is missing, empty, cut, damaged, not a checkpoint or has code in it.
    """
    path = resolved(Path(path))
    if os.environ.get("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"):
        raise InputError("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD lets checkpoints run code: unset it")
    try:
        size = path.stat().st_size
        if safetensors_file.is_safetensors(path):
            checkpoint = safetensors_file.read(path)
        else:
            checked_archive.verify(path)
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        come = f"; with the zoo come: {', '.join(bundled())}" if not path.suffix else ""
        raise InputError(f"{path}: there is no such checkpoint{come}") from None
    except IsADirectoryError:
        raise InputError(f"{path}: a folder, not a checkpoint") from None
    except zipfile.BadZipFile:
        raise InputError(f"{path}: not a whole checkpoint ({size:,} bytes; cut?)") from None
    except pickle.UnpicklingError:
        raise InputError(f"{path}: holds more than plain data and is not loaded") from None
    except (OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        if isinstance(error, InputError):
            raise
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path}: cannot be read as a checkpoint ({reason})") from None
    written = checkpoint.get("zoo") if isinstance(checkpoint, dict) else None
    kinds = {"format": int, "class_path": str, "corpus": str | None}
    if not isinstance(written, dict) or any(
        name in written and not isinstance(written[name], kind) for name, kind in kinds.items()
    ):
        raise InputError(f"{path}: not a checkpoint of the zoo")
    state = corpus_state(checkpoint) or {}
    named = [checkpoint.get("hyper_parameters") or {}, state]
    named += [state.get("arguments") or {}] if isinstance(state, dict) else []
    if not all(isinstance(part, dict) and all(isinstance(k, str) for k in part) for part in named):
        raise InputError(f"{path}: not a checkpoint of the zoo")
    if written.get("format", 0) > CHECKPOINT_FORMAT:
        version = written.get("version")
        raise InputError(f"{path}: written by a newer zoo ({version}): update this one")
    if isinstance(arguments := checkpoint.get("hyper_parameters"), dict):
        checkpoint["hyper_parameters"] = renamed(written.get("class_path", ""), arguments)
    return checkpoint


def load(path: str | Path, *, allow: Sequence[str] = ()) -> LightningModule:
    """The trained model of a checkpoint, on the CPU and in evaluation mode.

    Args:
        path: Of the checkpoint, or the name of a trained model that comes with the zoo.
        allow: Packages besides the zoo that the model's class may come from.

    Raises:
        InputError: The file cannot be read, or its class is of another package.
    """
    checkpoint = read(path)
    refuse_foreign(checkpoint, path, allow)
    cls = model_class(checkpoint, path)
    try:
        model = cls(**model_arguments(checkpoint))
    except InputError:
        raise
    except Exception as error:  # the arguments may be anything
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: {cls.__name__} cannot be built as it says ({reason})") from None
    load_weights(model, checkpoint, path)
    return model.eval()


def model_class(checkpoint: dict[str, Any], path: str | Path) -> type[LightningModule]:
    """Returns the class of a checkpoint's model, which has to be trusted: see `refuse_foreign`.

    Raises:
        InputError: It is no longer there.
    """
    return _defined(checkpoint["zoo"]["class_path"], LightningModule, path)


def corpus_class(state: dict[str, Any], path: str | Path) -> type[LightningDataModule]:
    """Returns the class of a checkpoint's corpus, which has to be trusted: see `refuse_foreign`.

    Raises:
        InputError: It is no longer there.
    """
    return _defined(state.get("class_path", ""), LightningDataModule, path)


def _defined(class_path: str, base: type, path: str | Path) -> Any:
    """The class that a module defines, not one that it has imported."""
    try:
        found = imported(class_path)
    except InputError:
        raise InputError(f"{path}: this version of the zoo has no {class_path}") from None
    own = isinstance(found, type) and found.__module__ == class_path.rpartition(".")[0]
    if not own or not issubclass(found, base):
        raise InputError(f"{path}: {class_path} is no {base.__name__}")
    return found


def load_weights(model: LightningModule, checkpoint: dict[str, Any], path: str | Path) -> None:
    """Loads the weights of a checkpoint into a model.

    Raises:
        InputError: They are those of another network; says where they differ first.
    """
    try:
        model.load_state_dict(checkpoint["state_dict"])
    except RuntimeError as error:
        (_, reason, *_) = [*str(error).splitlines(), ""]
        name = type(model).__name__
        raise InputError(f"{path}: its weights do not fit this {name}: {reason.strip()}") from None


def refuse_foreign(checkpoint: dict[str, Any], path: str | Path, allow: Sequence[str] = ()) -> None:
    """Refuses a checkpoint whose model or corpus is none of the zoo's, nor of a trusted package.

    To import a class is to run its module, and what a checkpoint names is called with arguments of
    its own: nothing but a model or a corpus will do.

    Raises:
        InputError: The checkpoint holds no model, or names another class or function than those,
            of no package in `allow`.
    """
    model = checkpoint["zoo"].get("class_path")
    if not model or not isinstance(checkpoint.get("state_dict"), dict):
        raise InputError(f"{path}: holds no trained model")
    corpus = corpus_settings(checkpoint).get("class_path")
    for kind, base, class_path in (("model", TASK, model), ("corpus", CORPUS, corpus)):
        trust = (*allow, *trusted())
        if class_path is None or owner(str(class_path), trust) or is_a(str(class_path), base):
            continue
        if owner(str(class_path), OWN):
            raise InputError(f"{path}: this version of the zoo has no {class_path} as a {kind}")
        package = str(class_path).partition(".")[0]
        way_out = f"; where you trust it: --allow {package}" if package.isidentifier() else ""
        raise InputError(f"{path}: {class_path} is not of the zoo and is not imported{way_out}")


def model_arguments(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """What the network was built with, without optimizer, schedule and Lightning's own keys."""
    training = ("optimizer", "lr_scheduler", "schedule_interval", "weight_decay")  # or ends so
    return {
        name: value
        for name, value in checkpoint.get("hyper_parameters", {}).items()
        if not name.startswith("_") and not name.endswith(training)
    }


def corpus_settings(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Class path and arguments of what a model was trained on; empty where they are not known."""
    saved = corpus_state(checkpoint) or checkpoint["zoo"].get("data") or {}
    return saved if isinstance(saved, dict) else {}


def corpus_state(checkpoint: dict[str, Any]) -> dict[str, Any] | None:
    """What the corpus left in the checkpoint, if it was trained on one of `datamodules`."""
    return checkpoint.get(checkpoint["zoo"].get("corpus") or "")
