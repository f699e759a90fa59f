"""A SLURM of two nodes on this machine, in a folder of its own; needs root, and no cluster."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "scontrol", "munged")
NODES = ("n1", "n2")
HOSTS = Path("/etc/hosts")
LINE = f"127.0.0.1 {' '.join(NODES)} # of a test\n"
MUNGE = Path("/run/munge")
PATIENCE = 60  # seconds
SETTINGS = """
ClusterName=zoo
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
AuthType=auth/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MpiDefault=none
JobRequeue=1
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=2
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=01:00:00 State=UP
"""


def missing() -> str:
    """Returns what such a cluster lacks here, "" where it can be started."""
    if os.geteuid():
        return "SLURM's daemons are started by root alone"
    lacking = [program for program in PROGRAMS if shutil.which(program) is None]
    return f"no {', '.join(lacking)}: install SLURM and munge" if lacking else ""


@contextmanager
def two_nodes(folder: Path) -> Iterator[None]:
    """Starts the cluster, which commands find by the environment, and ends it with its jobs."""
    settings, host = folder / "slurm.conf", socket.gethostname()
    settings.write_text(SETTINGS.format(host=host, folder=folder, ports=free_ports(3)))
    os.environ["SLURM_CONF"] = str(settings)
    try:
        with munge(), resolved():
            tell("slurmctld", "-f", str(settings))
            for node in NODES:
                (folder / node).mkdir()
                tell("slurmd", "-N", node, "-f", str(settings))
            wait_for(lambda: tell("sinfo", "-h", "-o", "%T %D") == "idle 2\n")
            yield
            tell("scancel", "--user", "root")
            wait_for(lambda: not tell("squeue", "-h"))
    finally:
        for path in folder.glob("*.pid"):
            end(path)
        del os.environ["SLURM_CONF"]


@contextmanager
def munge() -> Iterator[None]:
    """Has the daemon by which SLURM's commands know who asks."""
    if (MUNGE / "munge.socket.2").exists():
        yield
        return
    MUNGE.mkdir(exist_ok=True)
    shutil.chown(MUNGE, "munge", "munge")
    tell("runuser", "-u", "munge", "munged")
    try:
        yield
    finally:
        end(MUNGE / "munged.pid")


@contextmanager
def resolved() -> Iterator[None]:
    """Has the names of the nodes resolve: ranks would look for their first for ever."""
    with HOSTS.open("a", encoding="utf-8") as file:
        file.write(LINE)
    try:
        yield
    finally:
        HOSTS.write_text(HOSTS.read_text(encoding="utf-8").replace(LINE, ""), encoding="utf-8")


def tell(*command: str) -> str:
    """Runs a command; returns what it prints."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def end(path: Path) -> None:
    """Ends the daemon that wrote its id into a file."""
    with suppress(psutil.Error, FileNotFoundError, psutil.TimeoutExpired):
        daemon = psutil.Process(int(path.read_text()))
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(PATIENCE)


def wait_for(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Waits until a condition holds.

    Raises:
        TimeoutError: It does not in time.
    """
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(f"not in {seconds} s")
        time.sleep(0.2)


def free_ports(number: int) -> list[int]:
    """Returns ports on which nobody listens."""
    with ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in found:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in found]
