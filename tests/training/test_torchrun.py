"""scripts/slurm/torchrun.sh: two processes on one host, and two hosts that only share a wire."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.conftest import ROOT

SCRIPT = ROOT / "scripts" / "slurm" / "torchrun.sh"
RECIPE = "linear_regression-house_prices"
OPTIONS = ["--data.synthetic", "true", "--trainer.accelerator", "cpu"]


def start(arguments, epochs, before=(), **variables) -> subprocess.Popen:
    environment = {**os.environ, "PYTHON": sys.executable, "OMP_NUM_THREADS": "1", **variables}
    return subprocess.Popen(
        [*before, str(SCRIPT), *arguments, RECIPE, *OPTIONS, "--trainer.max_epochs", epochs],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def whole_run(identity: str) -> dict:
    """The last checkpoint of the one run there is."""
    folder = Path("runs") / RECIPE
    assert [path.name for path in folder.iterdir()] == [f"job-{identity}"]
    checkpoints = folder / f"job-{identity}" / "checkpoints"
    assert {path.name for path in checkpoints.iterdir()} == {"best.ckpt", "last.ckpt"}
    return torch.load(checkpoints / "last.ckpt", weights_only=True)


@pytest.mark.slow
def test_two_processes_train_and_the_same_id_goes_on():
    steps = []
    for epochs in ("1", "2"):
        running = start(["mine", f"localhost:{free_port()}", "1", "2"], epochs)
        out, _ = running.communicate(timeout=180)
        assert running.returncode == 0, out
        assert out.count("next:") == 1, "reported by one process"
        assert ("goes on from" in out) == (epochs == "2")
        steps.append(whole_run("mine")["global_step"])
    assert steps[1] == 2 * steps[0]


def test_it_says_how_it_is_used():
    done = subprocess.run([str(SCRIPT)], capture_output=True, text=True)
    assert done.returncode == 2
    assert "ID HOST:PORT HOSTS PROCESSES RECIPE" in done.stderr
    assert "set -euo" not in done.stderr


@contextlib.contextmanager
def two_hosts():
    """Two network namespaces joined by a wire: their names, addresses and interfaces."""
    names = [f"zoo-{os.getpid()}-{side}" for side in "ab"]
    wires = [f"z{os.getpid()}{side}"[-15:] for side in "ab"]
    addresses = ["10.231.77.1", "10.231.77.2"]
    commands = [f"netns add {name}" for name in names]
    commands.append(
        f"link add {wires[0]} netns {names[0]} type veth peer name {wires[1]} netns {names[1]}"
    )
    for name, wire, address in zip(names, wires, addresses, strict=True):
        commands += [
            f"-n {name} addr add {address}/24 dev {wire}",
            f"-n {name} link set {wire} up",
            f"-n {name} link set lo up",
        ]
    if shutil.which("ip") is None:
        pytest.skip("no network namespaces: there is no `ip`")
    try:
        for command in commands:
            done = subprocess.run(["ip", *command.split()], capture_output=True, text=True)
            if done.returncode:
                pytest.skip(f"no network namespaces here: {done.stderr.strip()}")
        yield zip(names, addresses, wires, strict=True)
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


@pytest.mark.slow
def test_two_hosts_train_one_run():
    with two_hosts() as hosts:
        running = [
            start(
                ["wired", "10.231.77.1:29511", "2", "1"],
                "2",
                before=["ip", "netns", "exec", name],
                LOCAL_ADDR=address,
                GLOO_SOCKET_IFNAME=wire,
            )
            for name, address, wire in hosts
        ]
        try:
            outs = [process.communicate(timeout=180)[0] for process in running]
        finally:
            for process in running:
                process.kill()
        assert [process.returncode for process in running] == [0, 0], "\n".join(outs)
        assert [out.count("next:") for out in outs] == [1, 0]
    assert whole_run("wired")["global_step"] > 0
