"""run.json: what a run cost, exactly, whatever ended it, and at no cost of its own."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.profilers import Profiler

from datamodules import FashionMNIST
from tests.conftest import quiet_trainer
from zoo.checkpoints.checkpoint import DurableCheckpointIO
from zoo.cli.main import main
from zoo.errors import StoppedError
from zoo.image_classification.mlp import MLP
from zoo.runs.record import RunRecord

ROWS = 5500  # of the stand-in to train on


def train(folder, *callbacks, ckpt_path=None, batch_size=1000, **options):
    """Six batches an epoch, the last of 500 rows."""
    model = MLP(in_features=784, num_classes=10, hidden_sizes=(8,))
    data = FashionMNIST(synthetic=True, batch_size=batch_size, validation_fraction=1 / 12)
    trainer = quiet_trainer(
        **{"max_epochs": 2, **options},
        enable_checkpointing=any(isinstance(c, ModelCheckpoint) for c in callbacks),
        callbacks=[RunRecord(folder), *callbacks],
        plugins=[DurableCheckpointIO()],
    )
    trainer.fit(model, data, ckpt_path=ckpt_path)
    return trainer


def recorded(folder):
    return json.loads((folder / "run.json").read_text())


class At(Callback):
    """Does something after a step."""

    def __init__(self, step, action):
        self.step, self.action = step, action

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.global_step == self.step:
            self.action(trainer)


def ends_with(error):
    def _raise(*given):
        raise error

    return _raise


def test_a_finished_run_is_recorded(tmp_path):
    before = datetime.now(UTC).replace(microsecond=0)
    start = time.perf_counter()
    train(tmp_path)
    seconds = time.perf_counter() - start
    record = recorded(tmp_path)
    assert (record["state"], record["epochs"], record["tries"]) == ("finished", 2, 1)
    assert record["train_rows"] == 2 * ROWS
    assert 0 < record["train_seconds"] < record["seconds"] < seconds
    assert record["rows_per_second"] == pytest.approx(2 * ROWS / record["train_seconds"])
    assert 50 < record["peak_memory_bytes"] / 2**20 < 100_000
    assert (record["peak_memory_of"], record["device"], record["world_size"]) == (
        *("process", "cpu", 1),
    )
    started, updated = (datetime.fromisoformat(record[key]) for key in ("started", "updated"))
    assert started.utcoffset().total_seconds() == 0
    assert before <= started <= updated <= datetime.now(UTC)
    assert record["versions"].keys() == {"zoo", "torch", "lightning"}
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        ({"limit_train_batches": 3, "batch_size": 32}, 2 * 96),
        ({"accumulate_grad_batches": 4}, 2 * ROWS),
        ({"max_epochs": -1, "max_steps": 8}, ROWS + 2000),
        ({"val_check_interval": 2}, 2 * ROWS),
        ({"limit_val_batches": 0}, 2 * ROWS),
    ],
)
def test_rows_are_exact(options, rows, tmp_path):
    train(tmp_path, **options)
    assert recorded(tmp_path)["train_rows"] == rows


def test_it_is_written_after_each_epoch(tmp_path):
    seen = []

    class Reader(Callback):
        def on_train_epoch_start(self, trainer, pl_module):
            record = recorded(tmp_path)
            seen.append((record["state"], record["epochs"], record["train_rows"]))

    train(tmp_path, Reader())
    assert seen == [("running", 0, 0), ("running", 1, ROWS)]


@pytest.mark.parametrize(
    ("error", "raised", "state"),
    [
        (ValueError("no"), ValueError, "failed"),
        (StoppedError(15, "by SIGTERM"), StoppedError, "stopped"),
        (KeyboardInterrupt(), SystemExit, "stopped"),
    ],
)
def test_what_ended_a_run_is_recorded(error, raised, state, tmp_path):
    with pytest.raises(raised):
        train(tmp_path, At(8, ends_with(error)))
    record = recorded(tmp_path)
    assert (record["state"], record["epochs"]) == (state, 1)
    assert record["train_rows"] == ROWS + 2000


def test_a_run_that_never_began_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="no"):
        train(tmp_path, type("Bad", (Callback,), {"on_fit_start": ends_with(ValueError("no"))})())
    assert not (tmp_path / "run.json").exists()


@pytest.mark.parametrize("step", [6, 8])
def test_tries_in_the_same_folder_are_summed(step, tmp_path):
    path = tmp_path / "checkpoint" / "stopped.ckpt"

    def _stop(trainer):
        trainer.save_checkpoint(path)
        raise StoppedError(15, "by SIGTERM")

    with pytest.raises(StoppedError):
        train(tmp_path, At(step, _stop))
    first = recorded(tmp_path)
    train(tmp_path, ckpt_path=path)
    record = recorded(tmp_path)
    assert (record["state"], record["tries"], record["epochs"]) == ("finished", 2, 2)
    assert record["train_rows"] == 2 * ROWS
    assert record["started"] == first["started"]
    assert record["seconds"] > first["seconds"] > 0
    assert record["train_seconds"] > first["train_seconds"] > 0


def test_neither_validation_nor_checkpoints_count_as_training(tmp_path):
    class Slow(Callback):
        def on_validation_batch_start(self, *given):
            time.sleep(0.2)

    class SlowCheckpoint(ModelCheckpoint):
        def on_validation_end(self, trainer, pl_module):
            super().on_validation_end(trainer, pl_module)
            time.sleep(0.3)

    train(tmp_path, Slow(), SlowCheckpoint(tmp_path / "checkpoints"))
    record = recorded(tmp_path)
    assert record["seconds"] - record["train_seconds"] > 2 * (0.2 + 0.3)


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"seconds": "many"}'])
def test_a_damaged_record_of_an_earlier_try_is_begun_anew(text, tmp_path):
    (tmp_path / "run.json").write_text(text)
    train(tmp_path, max_epochs=1)
    record = recorded(tmp_path)
    assert (record["tries"], record["train_rows"]) == (1, ROWS)


def test_a_full_disk_ends_no_run_and_spoils_no_record(tmp_path, monkeypatch):
    train(tmp_path, max_epochs=1)
    before = recorded(tmp_path)

    def _full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", _full)
    trainer = train(tmp_path)
    (record,) = [each for each in trainer.callbacks if isinstance(each, RunRecord)]
    assert record.failure.endswith("run.json: cannot be written (No space left on device)")
    assert recorded(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_nothing_of_it_runs_in_a_step(tmp_path):
    calls = []

    class Recorder(Profiler):
        def start(self, action_name):
            calls.append(action_name)

        def stop(self, action_name):
            pass

    train(tmp_path, At(1000, None), profiler=Recorder(), batch_size=100)
    own = [name for name in calls if "RunRecord" in name]
    assert sum("[Callback]At.on_train_batch_end" in name for name in calls) == 110
    assert sum("on_train_epoch_end" in name for name in own) == 2
    assert not [name for name in own if "_batch_" in name or "_before_" in name]


def test_the_command_writes_it_beside_the_metrics():
    quick = ["--data.synthetic", "true", "--trainer.accelerator", "cpu"]
    recipe = ["fit", "softmax_regression-fashion_mnist", *quick]
    assert main([*recipe, "--trainer.max_epochs", "1"]) == 0
    assert recorded(Path("runs/softmax_regression-fashion_mnist/1"))["train_rows"] == ROWS
