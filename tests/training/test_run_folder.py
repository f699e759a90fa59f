"""Run folders: two runs never share one, a job always finds its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from zoo.runs import folder as run_folder


@pytest.fixture(autouse=True)
def _no_launcher(monkeypatch):
    for name in ("RANK", "SLURM_PROCID", "SLURM_JOB_NAME", "TORCHELASTIC_RUN_ID", "ZOO_RUN"):
        monkeypatch.delenv(name, raising=False)
    yield
    run_folder.forget()


def create(settings=""):
    folder = run_folder.create(Path("runs"), "lenet", settings)
    run_folder.forget()
    return folder


def test_numbers_follow_each_other():
    Path("runs/lenet/7").mkdir(parents=True)
    Path("runs/lenet/notes").mkdir()
    assert [create().name for _ in range(3)] == ["8", "9", "10"]


def test_runs_started_together_get_folders_of_their_own():
    code = (
        "from pathlib import Path; from zoo.runs import folder as run_folder;"
        "print(*[(run_folder.create(Path('runs'), 'x'), run_folder.forget())[0] for _ in '12345'])"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    made = " ".join(process.communicate()[0] for process in running).split()
    assert len(made) == len(set(made)) == 20


def test_ranks_that_lightning_starts_get_the_folder_of_the_first():
    first = run_folder.create(Path("runs"), "lenet")
    assert not run_folder.is_first_process()
    assert run_folder.create(Path("runs"), "lenet") == first
    assert os.environ["ZOO_RUN"] == str(first)


LAUNCHERS = pytest.mark.parametrize(
    "variables",
    [
        {"SLURM_JOB_ID": "42", "SLURM_PROCID": "0"},
        {"TORCHELASTIC_RUN_ID": "42", "RANK": "0"},
    ],
    ids=["slurm", "torchrun"],
)


@LAUNCHERS
def test_a_requeued_job_goes_on_in_its_folder_and_keeps_its_metrics(variables, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    folder = create()
    assert folder.name == "job-42"
    for number in (1, 2):
        (folder / "metrics.csv").write_text(f"try {number}")
        assert create() == folder
        assert (folder / f"metrics-{number}.csv").read_text() == f"try {number}"
    monkeypatch.setenv("RANK" if "RANK" in variables else "SLURM_PROCID", "1")
    (folder / "metrics.csv").write_text("by rank 0")
    assert create() == folder
    assert (folder / "metrics.csv").exists()


@LAUNCHERS
def test_runs_of_one_job_share_no_folder(variables, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    folders = [create(settings) for settings in "abc"]
    assert [folder.name for folder in folders] == ["job-42", "job-42-2", "job-42-3"]
    monkeypatch.setenv("RANK" if "RANK" in variables else "SLURM_PROCID", "1")
    assert [create(settings) for settings in "cab"] == [folders[2], *folders[:2]]
    folders[0].rename("runs/moved")
    assert create("b") == folders[1], "an earlier number that is free is not ours"
    monkeypatch.setenv("TORCHELASTIC_RUN_ID" if "RANK" in variables else "SLURM_JOB_ID", "4")
    assert create("b").name == "job-4"
    assert all(path.name.startswith("job-") for path in Path("runs/lenet").iterdir())


def test_ranks_that_start_together_find_one_folder(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "42")
    code = (
        "from pathlib import Path; from zoo.runs import folder as run;"
        "print(*[(run.create(Path('runs'), 'x', s), run.forget())[0] for s in '12345'])"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "SLURM_PROCID": str(rank)},
        )
        for rank in range(4)
    ]
    made = [process.communicate()[0].split() for process in running]
    assert len(set(made[0])) == 5
    assert all(each == made[0] for each in made)


def test_an_interactive_shell_of_slurm_is_no_job(monkeypatch):
    for name, value in {
        "SLURM_JOB_ID": "42",
        "SLURM_PROCID": "0",
        "SLURM_JOB_NAME": "bash",
    }.items():
        monkeypatch.setenv(name, value)
    assert [create().name for _ in range(2)] == ["1", "2"]


def test_torchrun_without_an_id_leaves_the_folder_to_the_first_process(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("RANK", "1")
    assert not create().exists()
    monkeypatch.setenv("RANK", "0")
    assert create().is_dir()
