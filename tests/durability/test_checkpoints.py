"""Checkpoints and kill -9, full disks, damaged files: none is lost, none is loaded in silence."""

import random
import resource
import signal
import sys
import time
from itertools import islice

import pytest
import torch

from tests.durability.trial import FORK, Outcome, damaged, same
from zoo import LeNet
from zoo.checkpoints.checkpoint import DurableCheckpointIO, load, read
from zoo.errors import InputError

VALUES = 2_000_000
REFUSED = 7  # exit code


def save(path, value, size=VALUES):
    """Saves equal weights, by which a mix of two saves can be seen."""
    weights = {"w": torch.full((size,), float(value))}
    DurableCheckpointIO().save_checkpoint({"zoo": {}, "state_dict": weights}, path)


def save_for_ever(path, number):
    while True:
        number += 1
        save(path, number)


def kill_while_saving(outcome, count, folder):
    """Kills a process that saves; the file has to be whole, never older, and alone in the end."""
    draw, path, newest = random.Random(0), folder / "last.ckpt", 0.0
    save(path, 0)
    for _ in range(count):
        process = FORK.Process(target=save_for_ever, args=(path, int(newest)))
        process.start()
        time.sleep(draw.uniform(0.01, 0.1))
        process.kill()
        process.join()
        if list(folder.glob(".*.partial")):
            outcome.note("killed while saving")
        try:
            weights = read(path)["state_dict"]["w"]
        except InputError as error:
            outcome.count(f"lost: {error}")
            continue
        mixed = bool((weights != weights[0]).any())
        older = float(weights[0]) < newest
        outcome.count("mixed of two saves" if mixed else "an older one" if older else None)
        newest = max(newest, float(weights[0]))
    save(path, 0)
    left = sorted(p.name for p in folder.iterdir() if p.name != path.name)
    outcome.count(f"left behind: {left}" if left else None)


@pytest.mark.tries(40, 2000)
def test_kills(outcome, tries, tmp_path):
    kill_while_saving(outcome, tries, tmp_path)


def save_with_room(path, room):
    """Saves within a limit of the size of files, as on a disk that is full."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    try:
        save(path, 2, size=50_000)
    except InputError:
        sys.exit(REFUSED)


@pytest.mark.tries(20, 100)
def test_full_disks(outcome, tries, tmp_path):
    draw, path = random.Random(0), tmp_path / "last.ckpt"
    save(path, 1, size=50_000)
    size = path.stat().st_size
    for _ in range(tries):
        room = draw.randrange(size)
        process = FORK.Process(target=save_with_room, args=(path, room))
        process.start()
        process.join(60)
        failure = "" if process.exitcode == REFUSED else f"exit code {process.exitcode}"
        if read(path)["state_dict"]["w"][0] != 1:
            failure = "the older one is gone"
        failure = failure or str({p.name for p in tmp_path.iterdir()} - {path.name} or "")
        outcome.count(f"room for {room} of {size}: {failure}" if failure else None)


def read_damaged(outcome, count, folder, read=read):
    """Reads damaged files: half of them written by the zoo, half by torch.save, without a checksum.

    A change of such a file's idle bytes, which leaves all its values as they were, is no damage.
    """
    model = LeNet(in_channels=1, num_classes=10)
    checkpoint = {
        "zoo": {"version": "1", "class_path": "zoo.image_classification.lenet.LeNet"},
        "hyper_parameters": {"in_channels": 1, "num_classes": 10},
        "state_dict": dict(model.state_dict()),
    }
    ours, theirs, path = folder / "ours.ckpt", folder / "theirs.ckpt", folder / "damaged.ckpt"
    DurableCheckpointIO().save_checkpoint(checkpoint, ours)
    torch.save(checkpoint, theirs)
    for seed, source in enumerate((ours, theirs)):
        load(source)
        changes = damaged(source.read_bytes(), seed)
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
                idle = source is theirs and same(found, checkpoint)
                if idle:
                    outcome.note("changed in idle bytes alone")
                outcome.count(None if idle else "loaded in silence")


@pytest.mark.tries(700, 10_000)
def test_damaged_files(outcome, tries, tmp_path):
    read_damaged(outcome, tries, tmp_path)


def test_the_tests_would_notice(tmp_path, monkeypatch):
    """A plain save is torn by kills, and a reader without a checksum loads what is damaged."""

    def plain(self, checkpoint, path, storage_options=None):
        torch.save(checkpoint, path)

    torn, loaded = Outcome(), Outcome()
    with monkeypatch.context() as patch:
        patch.setattr(DurableCheckpointIO, "save_checkpoint", plain)
        kill_while_saving(torn, 20, tmp_path)
    assert torn.failures
    read_damaged(loaded, 200, tmp_path, lambda path: torch.load(path, weights_only=True))
    assert "loaded in silence" in loaded.failures
