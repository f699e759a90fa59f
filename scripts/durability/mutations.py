"""Damaged checkpoints: none is loaded without a word, and each is refused in one line."""

import random
from itertools import islice
from pathlib import Path

import torch

from scripts.durability.trial import Outcome, damaged
from zoo import LeNet
from zoo.checkpoints.checkpoint import DurableCheckpointIO, load, read
from zoo.errors import InputError


def check(count: int, folder: Path) -> Outcome:
    """Half of the files were written by the zoo, half by torch.save alone, without a checksum.

    A change of such a file's idle bytes, which leaves all its values as they were, is no damage.
    """
    model = LeNet(in_channels=1, num_classes=10)
    checkpoint = {
        "zoo": {"version": "1", "class_path": "zoo.image_classification.lenet.LeNet"},
        "hyper_parameters": {"in_channels": 1, "num_classes": 10},
        "state_dict": model.state_dict(),
    }
    ours, theirs, path = folder / "ours.ckpt", folder / "theirs.ckpt", folder / "damaged.ckpt"
    DurableCheckpointIO().save_checkpoint(checkpoint, ours)
    torch.save(checkpoint, theirs)
    outcome = Outcome()
    for seed, source in enumerate((ours, theirs)):
        load(source)
        changes = damaged(source.read_bytes(), random.Random(seed))
        for content in islice(changes, (count + 1 - seed) // 2):
            path.write_bytes(content)
            try:
                found = read(path)
            except InputError as error:
                lines = len(str(error).splitlines())
                outcome.count(None if lines == 1 else f"refused in {lines} lines")
            except Exception as error:
                outcome.count(f"a traceback: {type(error).__name__}: {error}")
            else:
                same = source is theirs and _same(found, checkpoint)
                if same:
                    outcome.note("changed in idle bytes alone")
                outcome.count(None if same else "loaded without a word")
    return outcome


def _same(found: dict, checkpoint: dict) -> bool:
    weights = checkpoint["state_dict"]
    return (
        found.keys() == checkpoint.keys()
        and all(found[key] == checkpoint[key] for key in ("zoo", "hyper_parameters"))
        and found["state_dict"].keys() == weights.keys()
        and all(torch.equal(found["state_dict"][key], weights[key]) for key in weights)
    )
