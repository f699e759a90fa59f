"""One of two processes raises, is killed or hangs: all are gone soon, and the cause is said."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.conftest import ROOT
from tests.durability.cluster import free_ports, wait_for

RECIPE = "linear_regression-house_prices"
TORCHRUN = [str(ROOT / "scripts" / "slurm" / "torchrun.sh")]
FAULTY = """
import os, signal, time
from zoo.image_classification.mlp import MLP

class Faulty(MLP):
    def training_step(self, batch, batch_idx):
        if self.current_epoch == 1 and batch_idx == 3:
            fault, rank = os.environ["FAULT"].split("-")
            if self.global_rank == int(rank):
                if fault == "raise":
                    raise ValueError("a fault of my own")
                if fault == "kill":
                    os.kill(os.getpid(), signal.SIGKILL)
                time.sleep(600)
        return super().training_step(batch, batch_idx)
"""
TIMEOUT = 20  # seconds after which a process is taken to hang
SETTINGS = f"""
model: {{class_path: faulty.Faulty, init_args: {{hidden_sizes: [8]}}}}
data: {{class_path: FashionMNIST, init_args: {{synthetic: true}}}}
trainer:
  max_epochs: 5
  accelerator: cpu
  devices: 2
  enable_progress_bar: false
  strategy:
    class_path: lightning.pytorch.strategies.DDPStrategy
    init_args: {{timeout: "0:00:{TIMEOUT}"}}
"""
SAID = {  # last of all; nothing where Linux or Lightning kills the process that would speak
    "raise-1": "^zoo: process 1 failed: ValueError: a fault of my own$",
    "kill-1": "^zoo: another process is gone or hangs",
    "hang-1": "^zoo: another process is gone or hangs",
    "raise-0": "ValueError: a fault of my own$",
    "kill-0": "",
    "hang-0": "",
}
SOON = 15  # seconds
PATIENCE = 120  # seconds that the first epoch may take


@pytest.mark.parametrize(
    "fault",
    [
        fault if fault == "raise-1" else pytest.param(fault, marks=pytest.mark.slow)
        for fault in SAID
    ],
)
def test_a_fault_ends_all(fault, outcome, tmp_path):
    """Trains with a fault in the second epoch."""
    (tmp_path / "faulty.py").write_text(FAULTY)
    (tmp_path / "faulty.yaml").write_text(SETTINGS)
    outcome.count(ends(fault, tmp_path))
    assert not list(tmp_path.rglob(".failed-*"))


@pytest.mark.parametrize("after", [0, *(pytest.param(s, marks=pytest.mark.slow) for s in (0.3, 3))])
def test_no_rank_outlives_a_first_that_is_killed_as_it_starts(after, outcome, tmp_path):
    """Kills the first process some seconds after it has started the second."""
    command = [sys.executable, "-m", "zoo.cli", "fit", "softmax_regression-fashion_mnist"]
    options = ["--data.synthetic", "true", "--trainer.accelerator", "cpu", "--trainer.devices", "2"]
    with (tmp_path / "output").open("w") as output:
        process = subprocess.Popen(
            [*command, *options], stdout=output, stderr=output, start_new_session=True
        )
    until = time.monotonic() + PATIENCE
    while not (second := rank(process)) and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(after)
    process.kill()
    process.wait()
    until = time.monotonic() + SOON
    while (alive := left(process)) and time.monotonic() < until:
        time.sleep(0.1)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    missed = None if second else (tmp_path / "output").read_text()
    outcome.count(f"processes are left after {SOON} s" if alive else missed)


def rank(process: subprocess.Popen) -> bool:
    """Whether a process has started another one of its kind."""
    for child in psutil.Process(process.pid).children():
        with suppress(psutil.Error):  # it has just ended
            if any("zoo.cli" in word for word in child.cmdline()):
                return True
    return False


def ends(fault: str, folder: Path) -> str | None:
    """Returns what is wrong with the end of a training, None if nothing is."""
    log, before = folder / "output", trained(folder)
    path = os.pathsep.join(map(str, (folder, ROOT)))
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "zoo.cli", "fit", "-c", "faulty.yaml", "--allow", "faulty"],
            env={**os.environ, "FAULT": fault, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    until = time.monotonic() + PATIENCE
    while trained(folder) == before:
        if time.monotonic() > until or not left(process):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            return f"no epoch ended: {log.read_text()[-500:]}"
        time.sleep(0.1)
    begun, allowed = time.monotonic(), SOON + (TIMEOUT if fault.startswith("hang") else 0)
    while left(process):
        if time.monotonic() - begun > allowed:
            os.killpg(process.pid, signal.SIGKILL)
            return f"processes are left after {allowed} s"
        time.sleep(0.1)
    code, text = process.wait(), log.read_text().strip()
    last = text.splitlines()[-1] if text else ""
    if code == 0:
        return "exit code 0"
    if code != -signal.SIGKILL and not re.search(SAID[fault], last):
        return f"says at last: {last}"
    return None


@pytest.mark.slow
@pytest.mark.tries(2, 20)
def test_training_goes_on_after_a_rank_was_killed(outcome, tries):
    """Kills one of two processes of torchrun.sh at a random time, which starts all again."""
    draw = random.Random(0)
    for number in range(tries):
        outcome.count(restarted(f"killed-{number}", number % 3 < 2, draw, outcome))


def restarted(job: str, within: bool, draw: random.Random, outcome) -> str | None:
    """Returns what is wrong with the end of a run whose rank was killed, None if nothing is."""
    folder, log = Path("runs") / RECIPE / f"job-{job}", Path(f"{job}.log")
    options = ["--data.synthetic", "true", "--trainer.accelerator", "cpu"]
    address = f"localhost:{free_ports(1)[0]}"
    rank = draw.choice("01")  # killed within training, or at any time before
    with log.open("w") as output:
        process = subprocess.Popen(
            [*TORCHRUN, job, address, "1", "2", RECIPE, *options, "--trainer.max_epochs", "60"],
            env={**os.environ, "PYTHON": sys.executable, "RESTARTS": "2"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for(lambda: (folder / "metrics.csv").exists() or not within, PATIENCE)
        time.sleep(draw.uniform(0, 2) if within else draw.uniform(2, 8))
        wait_for(lambda: killed(process, rank), PATIENCE)
        process.wait(2 * PATIENCE)
    except (TimeoutError, psutil.Error, subprocess.TimeoutExpired) as error:
        process.kill()
        return f"{job}: {error}: {log.read_text()[-2000:]}"
    said = log.read_text()
    outcome.note("went on" if "it goes on from" in said else "began anew")
    if process.returncode or "epoch 60/60" not in said:
        return f"{job}: exit code {process.returncode}: {said[-2000:]}"
    return f"{job}: {said[-2000:]}" if "Traceback" in said else None


def killed(torchrun: subprocess.Popen, rank: str) -> bool:
    """Whether there was a process of that rank to kill."""
    for child in psutil.Process(torchrun.pid).children():
        with suppress(psutil.Error):  # it has just ended
            if child.environ().get("RANK") == rank:
                child.kill()
                return True
    return False


def trained(folder: Path) -> set[Path]:
    """What runs have logged: there is more once an epoch has ended."""
    return set(folder.glob("runs/faulty/*/metrics.csv"))


def left(process: subprocess.Popen) -> bool:
    """Whether a process of the session is there still."""
    process.poll()
    found = subprocess.run(
        ["pgrep", "--session", str(process.pid)], capture_output=True, check=False
    )
    return found.returncode == 0
