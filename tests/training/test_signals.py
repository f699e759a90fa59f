"""A signal never tears a step: the run stops after it, saved, with the right exit code."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback

from datamodules import FashionMNIST
from tests.conftest import quiet_trainer
from tests.processes import Command
from zoo.checkpoints import last_checkpoint
from zoo.checkpoints.checkpoint import DurableCheckpointIO, read
from zoo.checkpoints.last_checkpoint import LastCheckpoint
from zoo.cli.main import main
from zoo.errors import StoppedError
from zoo.image_classification.mlp import MLP

FIT = [
    *("fit", "softmax_regression-fashion_mnist"),
    *("--data.synthetic", "true", "--data.batch_size", "50", "--trainer.accelerator", "cpu"),
    *("--trainer.max_epochs", "1000", "--trainer.limit_val_batches", "1"),
]
FOLDER = Path("runs/softmax_regression-fashion_mnist")


@pytest.fixture(autouse=True)
def _keyboard():
    """Lightning leaves Ctrl-C ignored where one ended it."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


class SlowSGD(torch.optim.SGD):
    """Sends a signal when half of the parameters have been updated in step number `at`."""

    def __init__(self, parameters, at, number):
        super().__init__(parameters, lr=0.1)
        self.at, self.number, self.count = at, number, 0

    @torch.no_grad()
    def step(self, closure):
        loss = closure()
        self.count += 1
        (group,) = self.param_groups
        for index, parameter in enumerate(group["params"]):
            if self.count == self.at and index == len(group["params"]) // 2:
                os.kill(os.getpid(), self.number)
            parameter -= group["lr"] * parameter.grad
        return loss


class Weights(Callback):
    """The weights after each step."""

    def __init__(self):
        self.after = {}

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.after[trainer.global_step] = [p.detach().clone() for p in pl_module.parameters()]


def train(at=0, number=signal.SIGTERM, ckpt_path=None, kept=(), **options):
    torch.manual_seed(0)
    model = MLP(
        in_features=784,
        num_classes=10,
        hidden_sizes=(8,),
        optimizer=lambda parameters: SlowSGD(parameters, at, number),
    )
    weights = Weights()
    trainer = quiet_trainer(
        max_epochs=2,
        limit_train_batches=6,
        callbacks=[weights, *kept, LastCheckpoint(Path("checkpoints").absolute())],
        plugins=[DurableCheckpointIO()],
        **options,
        enable_checkpointing=True,
    )
    trainer.fit(model, FashionMNIST(synthetic=True, batch_size=32), ckpt_path=ckpt_path)
    return weights.after


@pytest.mark.parametrize("at", [1, 4, 6, 7, 11])
def test_a_signal_within_a_step_saves_the_whole_step(at):
    uninterrupted = train()
    with pytest.raises(StoppedError, match=f"SIGTERM: step {at} is saved") as error:
        train(at)
    assert error.value.code == 143
    saved = read("checkpoints/last.ckpt")
    assert saved["global_step"] == at
    weights = zip(saved["state_dict"].values(), uninterrupted[at], strict=True)
    assert all(torch.equal(*pair) for pair in weights)
    rest = train(ckpt_path="checkpoints/last.ckpt")
    assert list(rest) == list(range(at + 1, 13))
    for step, tensors in rest.items():
        assert all(map(torch.equal, tensors, uninterrupted[step])), step


@pytest.mark.parametrize(("number", "asked"), [(signal.SIGUSR1, ["123"]), (signal.SIGTERM, [])])
def test_a_job_is_requeued_where_its_time_is_up_alone(number, asked, monkeypatch):
    jobs = []
    monkeypatch.setenv("SLURM_JOB_ID", "123")
    monkeypatch.setattr(last_checkpoint, "requeue", lambda job: jobs.append(job) or "requeued")
    with pytest.raises(StoppedError, match="step 3 is saved"):
        train(3, number)
    assert jobs == asked


class Kept(Callback):
    """Notes which step last.ckpt holds when each batch begins, and at the end."""

    def __init__(self):
        self.steps = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        path = Path("checkpoints/last.ckpt")
        self.steps.append(read(path)["global_step"] if path.exists() else 0)

    def on_fit_end(self, trainer, pl_module):
        self.on_train_batch_start(trainer, pl_module, None, 0)


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        ({}, [0] * 6 + [6] * 6 + [12]),
        ({"limit_val_batches": 0}, [0] * 6 + [6] * 6 + [12]),
        ({"check_val_every_n_epoch": 5}, [0] * 6 + [6] * 6 + [12]),
        ({"val_check_interval": 4}, [0] * 4 + [4] * 2 + [6] * 4 + [10] * 2 + [12]),
        ({"val_check_interval": 5, "accumulate_grad_batches": 3}, [0] * 6 + [2] * 6 + [4]),
        ({"max_steps": 8}, [0] * 6 + [6] * 2 + [8]),
    ],
    ids=str,
)
def test_each_epoch_and_each_validation_within_one_are_kept(options, steps):
    kept = Kept()
    train(kept=[kept], **options)
    assert kept.steps == steps


def test_a_validation_within_an_epoch_is_gone_on_from():
    uninterrupted = train(val_check_interval=4)
    copies = []

    class Copies(Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            if batch_idx == 4:
                copies.append(read("checkpoints/last.ckpt"))
                torch.save(copies[-1], f"{copies[-1]['global_step']}.ckpt")

    train(kept=[Copies()], val_check_interval=4)
    assert [copy["global_step"] for copy in copies] == [4, 10]
    for step in (4, 10):
        rest = train(ckpt_path=f"{step}.ckpt", val_check_interval=4)
        assert list(rest) == list(range(step + 1, 13))
        for number, tensors in rest.items():
            assert all(map(torch.equal, tensors, uninterrupted[number])), number


def test_the_handlers_of_before_are_back():
    before = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)]
    train()
    with pytest.raises(StoppedError):
        train(3, signal.SIGINT)
    after = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)]
    assert after == before


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_what_is_ignored_stays_so(number):
    before = signal.signal(number, signal.SIG_IGN)  # by nohup, or in the background of a shell
    try:
        assert len(train(3, number)) == 12
        assert signal.getsignal(number) == signal.SIG_IGN
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize(("number", "code"), [("TERM", 143), ("HUP", 129), ("INT", 130)])
@pytest.mark.parametrize("where", ["prepare_data", "setup", "val_dataloader"])
def test_nothing_is_left_of_a_run_without_a_step(number, code, where, monkeypatch, capsys):
    prepared = getattr(FashionMNIST, where)

    def signalled(self, **given):
        os.kill(os.getpid(), getattr(signal, f"SIG{number}"))
        return prepared(self, **given)

    monkeypatch.setattr(FashionMNIST, where, signalled)
    assert main([*FIT, "--trainer.enable_progress_bar", "false"]) == code
    said = "interrupted" if (number, where != "val_dataloader") == ("INT", True) else "before its"
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert said in line
    assert not list(Path().iterdir())


def test_gathered_gradients_are_used_before_the_stop():
    class InBetween(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            if batch_idx == 2:
                os.kill(os.getpid(), signal.SIGTERM)

    torch.manual_seed(0)
    model = MLP(in_features=784, num_classes=10, hidden_sizes=(8,))
    trainer = quiet_trainer(
        accumulate_grad_batches=2,
        callbacks=[InBetween(), LastCheckpoint(Path("checkpoints").absolute())],
        plugins=[DurableCheckpointIO()],
        enable_checkpointing=True,
    )
    with pytest.raises(StoppedError, match="step 2 is saved"):
        trainer.fit(model, FashionMNIST(synthetic=True, batch_size=32))
    assert (
        read("checkpoints/last.ckpt")["loops"]["fit_loop"]["epoch_loop.batch_progress"]["total"][
            "ready"
        ]
        == 4
    )


@pytest.fixture
def start(tmp_path_factory):
    """Starts the command in a process, which ends with the test."""
    started = []

    def command(*options, environment=None):
        folder = tmp_path_factory.mktemp("pipes")
        started.append(Command(folder, *FIT, *options, environment=environment))
        return started[-1]

    yield command
    for one in started:
        one.kill()


def all_gone(session, seconds=15):
    """Whether no process of a session is left, soon."""
    for _ in range(10 * seconds):
        if subprocess.run(["pgrep", "--session", str(session)], check=False).returncode:
            return True
        time.sleep(0.1)
    return False


def trained(process, epoch=2):
    """Waits until an epoch has ended."""
    for line in process.stdout:
        if line.startswith(f"epoch {epoch}/"):
            return
    raise AssertionError(process.communicate()[1])


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)],
    ids=["term", "int", "hup"],
)
def test_the_command_ends_with_the_right_code(start, number, code):
    process = start()
    trained(process)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    (line,) = errors.strip().splitlines()
    path = FOLDER / "1/checkpoints/last.ckpt"
    assert line.startswith("zoo: stopped by SIG")
    assert f"--ckpt_path {path}" in line
    assert read(path)["global_step"] > 0


@pytest.mark.slow
def test_usr1_saves_and_goes_on(start):
    process = start()
    trained(process)
    process.send_signal(signal.SIGUSR1)
    saved = next(line for line in process.stdout if "is saved" in line)
    trained(process, epoch=int(saved.split()[1]) // 10 + 5)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 143


def slurm(folder):
    """The environment of a job whose `scontrol` notes what it is asked for."""
    scontrol = folder / "bin/scontrol"
    scontrol.parent.mkdir()
    scontrol.write_text(f'#!/bin/sh\necho "$@" >> {folder}/asked\n')
    scontrol.chmod(0o755)
    return {
        "PATH": f"{scontrol.parent}:{os.environ['PATH']}",
        "SLURM_JOB_ID": "123",
        "SLURM_NTASKS": "1",
        "SLURM_JOB_NAME": "train",
        "SLURM_PROCID": "0",
        "SLURM_LOCALID": "0",
        "SLURM_NODEID": "0",
    }


def test_slurm_requeues_once(start, tmp_path):
    process = start(environment=slurm(tmp_path))
    trained(process)
    for _ in range(3):
        process.send_signal(signal.SIGUSR1)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 143, errors
    assert "job 123 is requeued" in errors
    assert (tmp_path / "asked").read_text() == "requeue 123\n"
    assert read(FOLDER / "job-123/checkpoints/last.ckpt")["global_step"] > 0


def test_a_warning_before_training_is_not_lost(start, tmp_path):
    process = start(environment=slurm(tmp_path))
    assert process.stdout.readline().startswith("run: ")
    process.send_signal(signal.SIGUSR1)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 143, errors
    (line,) = errors.strip().splitlines()
    assert "stopped by SIGUSR1: step 1 is saved" in line
    assert line.endswith("job 123 is requeued")
    assert (tmp_path / "asked").read_text() == "requeue 123\n"


@pytest.mark.slow
def test_two_processes_stop_after_the_same_step():
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "zoo.cli",
            *FIT,
            "--trainer.devices",
            "2",
            "--trainer.strategy",
            "ddp",
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    trained(process)
    process.send_signal(signal.SIGTERM)  # to the first alone
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 143, errors
    assert errors.count("stopped by SIGTERM") == 1
    assert all_gone(process.pid)
