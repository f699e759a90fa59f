"""A sweep by W&B itself: its server draws, its agents run `zoo fit` on this machine."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from zoo.cli.sweep.file import ARGUMENTS, Sweep
from zoo.errors import InputError, StoppedError
from zoo.training.signals import SignalListener

AGENT = (sys.executable, "-m", "wandb", "agent")
PROJECT = "zoo"  # of the runs, where the file names none


def create(plan: Sweep, options: Sequence[str], runs: Path, cap: int | None) -> str:
    """Makes the sweep on the server; returns its id.

    Args:
        plan: The sweep file.
        options: Of every run, after those of the file.
        runs: Where run folders go.
        cap: The largest number of runs, if there is one.

    Raises:
        InputError: There is none, for the reason that it says, after 10 seconds at most.
    """
    import wandb

    from zoo.runs.wandb_logger import PATIENCE, answer, finish, refuse_unreachable

    config = configuration(plan, options, runs, cap)

    def ask() -> str:
        refuse_unreachable()
        return wandb.sweep(config, entity=config.get("entity"), project=config["project"])

    try:
        return answer(0.8 * PATIENCE, ask)
    finally:
        finish()  # trials and agents would find its service in the environment


def configuration(
    plan: Sweep, options: Sequence[str], runs: Path, cap: int | None
) -> dict[str, Any]:
    """The file as W&B gets it: dotted names, our options before the parameters, logged online."""
    given = plan.config
    words = [str(token) for token in given["command"]]
    tokens = ["zoo", *words[words.index("fit") :]]  # no program but ours; agents have the variables
    place = next(index for index, token in enumerate(tokens) if token in ARGUMENTS)
    # What the file says of --wandb and --runs comes before, and the last of two counts.
    tokens[place:place] = [*options, "--wandb", "online", "--runs", str(runs)]
    own = {"program": "zoo", "name": plan.name, "command": tokens, "project": _project(plan)}
    config = {**given, **own}
    config["parameters"] = dict(_dotted(given["parameters"]))
    if cap is not None:
        config["run_cap"] = cap
    return config


def _project(plan: Sweep) -> str:
    return plan.config.get("project") or os.environ.get("WANDB_PROJECT") or PROJECT


def _dotted(group: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, given in group.items():
        if "parameters" in given:
            yield from _dotted(given["parameters"], f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", given


def run_agents(plan: Sweep, sweep_id: str, environments: Sequence[dict[str, str]]) -> int:
    """Runs an agent in each environment until the server has no more runs.

    Returns:
        The largest of their exit codes.

    Raises:
        InputError: The agent cannot be started.
        StoppedError: By a signal, which ended the agents and their runs.
    """
    where = ["--project", _project(plan)]
    if entity := plan.config.get("entity"):
        where += ["--entity", entity]
    # The agent looks for `zoo` on the path, which an interpreter called by its path is not on.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    base = {**os.environ, **plan.environment, "PATH": path, "WANDB_MODE": "online"}
    agents: list[subprocess.Popen[bytes]] = []
    listener = SignalListener()
    listener.listen()
    try:
        for environment in environments:
            agents.append(
                subprocess.Popen(
                    [*AGENT, "--forward-signals", *where, sweep_id],
                    env={**base, **environment},
                    start_new_session=True,
                )
            )
        while any(agent.poll() is None for agent in agents):
            time.sleep(0.2)
            if number := listener.received:
                raise StoppedError(number, f"stopped; `wandb agent {sweep_id}` goes on with it")
        return max(agent.returncode for agent in agents)
    except OSError as error:
        raise InputError(f"wandb agent cannot be started ({error.strerror})") from None
    finally:
        for agent in agents:
            if agent.poll() is None:
                agent.terminate()
        for agent in agents:
            agent.wait()
        listener.stop()
