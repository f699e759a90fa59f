"""Batch jobs: what is written, that no value breaks out of it, and that a requeued job goes on."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.conftest import ROOT, fails
from zoo.cli.main import main

RECIPE = "linear_regression-house_prices"
JOB = str(random.SystemRandom().randrange(1_000_000, 9_000_000))  # its last digits are a port's
SUBMIT = ["submit", RECIPE, "--data.synthetic", "true"]

FAKES = {
    "sbatch": """
cp "${@: -1}" "$FAKES/submitted"
[ -z "$REFUSED" ] || { echo "sbatch: error: $REFUSED" >&2; exit 1; }
echo 4242
""",
    "scontrol": """echo "$*" >> "$FAKES/requeues" """,
    # As many nodes of one task as SLURM_NNODES says, all of them here.
    "srun": """
while [[ "$1" == --* ]]; do shift; done
printf '%s\\0' "$@" > "$FAKES/arguments"
env -0 > "$FAKES/environment"
[ -n "$SLURM_JOB_ID" ] || exit 0
pids=()
for task in $(seq 0 $((SLURM_NNODES - 1))); do
    SLURM_PROCID=$task SLURM_NODEID=$task SLURM_LOCALID=0 SLURM_NTASKS=$SLURM_NNODES \\
        SLURM_NTASKS_PER_NODE=1 SLURM_NODELIST=127.0.0.1 "$@" &
    pids+=($!)
done
echo "${pids[@]}" > "$FAKES/pids"
code=0
for pid in "${pids[@]}"; do wait "$pid" || code=$?; done
exit $code
""",
    "module": """echo "$*" >> "$FAKES/modules" """,
}


@pytest.fixture
def slurm(tmp_path_factory, monkeypatch):
    """A folder with the commands of SLURM, of which each notes how it was called."""
    folder = tmp_path_factory.mktemp("slurm")
    for name, text in FAKES.items():
        path = folder / name
        path.write_text(f"#!/bin/bash\n{text}")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKES", str(folder))
    for name in [name for name in os.environ if name.startswith("SLURM_")]:
        monkeypatch.delenv(name)
    return folder


def script(capsys, *arguments) -> str:
    assert main([*SUBMIT, "--dry-run", *arguments]) == 0
    return capsys.readouterr().out


def requests(text: str) -> set[str]:
    return {line.removeprefix("#SBATCH ") for line in text.splitlines() if "#SBATCH" in line}


def run(text: str, **variables) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["bash"], input=text, env={**os.environ, **variables}, capture_output=True, text=True
    )


def arguments_of(folder: Path) -> list[str]:
    return (folder / "arguments").read_text().split("\0")[:-1]


# What is written


def test_a_dry_run_prints_and_writes_nothing(capsys, slurm):
    text = script(
        capsys,
        *("+bf16", "--nodes", "2", "--gpus", "4", "--time", "04:00:00", "--partition", "gpu"),
        *("--account", "me", "--cpus-per-task", "8", "--mem", "64G"),
    )
    assert requests(text) == {
        f"--job-name={RECIPE}",
        "--nodes=2",
        "--ntasks-per-node=4",
        "--gpus-per-node=4",
        "--cpus-per-task=8",
        "--mem=64G",
        "--time=04:00:00",
        "--partition=gpu",
        "--account=me",
        f'--output="runs/{RECIPE}/job-%j.log"',
        "--open-mode=append",
        "--requeue",
        "--signal=USR1@120",
    }
    assert not list(Path().iterdir())
    assert not (slurm / "submitted").exists()
    assert run(text).returncode == 0
    words = arguments_of(slurm)
    assert words[:6] == [sys.executable, "-m", "zoo.cli", "fit", RECIPE, "+bf16"]
    for option in ("num_nodes=2", "devices=4", "accelerator=gpu"):
        assert f"--trainer.{option}" in words
    assert "+ddp" in words
    assert words[-2:] == ["--ckpt_path", "last"]


def test_submitting_says_what_to_do_next(capsys, slurm):
    for number in (1, 2):
        assert main(SUBMIT) == 0
        out = capsys.readouterr().out
        path = Path("runs") / RECIPE / f"submit-{number}.sbatch"
        for words in ("4242", str(path), f"runs/{RECIPE}/job-4242.log", "scancel 4242"):
            assert words in out
        assert (slurm / "submitted").read_text() == path.read_text()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], []),  # one GPU
        (["--gpus", "2"], ["+ddp"]),
        (["--nodes", "2"], ["+ddp"]),
        (["--gpus", "2", "+fsdp"], ["+fsdp"]),
        (["--gpus", "2", "--trainer.strategy", "ddp"], []),
    ],
    ids=" ".join,
)
def test_several_devices_train_by_ddp_unless_another_way_is_named(
    arguments, expected, capsys, slurm
):
    assert run(script(capsys, *arguments)).returncode == 0
    assert [word for word in arguments_of(slurm) if word.startswith("+")] == expected


def test_an_array_trains_with_a_seed_each(capsys, slurm):
    text = script(capsys, "--array", "0-4%2")
    assert "--array=0-4%2" in requests(text)
    assert run(text, SLURM_ARRAY_TASK_ID="3").returncode == 0
    words = arguments_of(slurm)
    assert words[words.index("--seed_everything") + 1] == "3"


@pytest.mark.parametrize("runtime", ["apptainer", "pyxis"])
def test_a_container_sees_the_folder_and_the_corpora(runtime, capsys, slurm, monkeypatch):
    given = ["--container", "my images/zoo.sif", "--container-runtime", runtime]
    text = script(capsys, *given)
    assert run(text, ZOO_DATA="/all corpora").returncode == 0
    words = arguments_of(slurm)
    if runtime == "apptainer":
        here = str(Path.cwd())
        binds = ["--nv", "--bind", here, "--bind", "/all corpora", "my images/zoo.sif"]
        assert words[: len(binds) + 3] == ["apptainer", "exec", *binds, "zoo"]
        run(text.replace("--data.synthetic", "--data.x"), ZOO_DATA="")
        assert arguments_of(slurm).count("--bind") == 1
    else:
        assert words[:3] == ["zoo", "fit", RECIPE]  # what comes before is srun's
        assert "--container-image='my images/zoo.sif'" in text


NASTY = [
    "two words",
    'it\'s "quoted"',
    "$HOME `touch broken` $(touch broken)",
    "; touch broken; #",
    "a line\ntouch broken\n#SBATCH --nodes=99",
    "back\\slash \\",
    "*",
    "",
]


@pytest.mark.parametrize("value", NASTY)
def test_no_value_breaks_out(value, capsys, slurm):
    given = (f"--data.root={value}", f"--env=ZOO_WORD={value}", f"--container={value or 'x'}")
    text = script(capsys, *given)
    done = run(text)
    assert done.returncode == 0, done.stderr
    assert f"--data.root={value}" in arguments_of(slurm)
    assert (value or "x") in arguments_of(slurm)
    assert f"ZOO_WORD={value}" in (slurm / "environment").read_text().split("\0")
    assert not Path("broken").exists()
    heading = text.partition("set -eo pipefail")[0]  # which is all that sbatch reads
    assert "nodes=99" not in heading


def test_setup_runs_before_all(capsys, slurm):
    text = script(capsys, "--setup", "module load cuda/12", "--setup", "export WORD=$((40 + 2))")
    assert run(text).returncode == 0
    assert (slurm / "modules").read_text() == "load cuda/12\n"
    assert "WORD=42" in (slurm / "environment").read_text().split("\0")


def test_secrets_of_the_environment_stay_out(capsys, slurm, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "0123456789abcdef")
    assert main(SUBMIT) == 0
    (path,) = Path("runs").rglob("*.sbatch")
    assert "0123456789abcdef" not in path.read_text()


# What is refused


SHORT = ("1", "2", "2:00", "0:30", "00:02:00", "0-0:02", "0-00:01:59")


@pytest.mark.parametrize("time", ["0", "3", "2:01", "0-1", "0-0:03", "1-0", "00:02:30"])
def test_a_job_of_more_than_two_minutes_is_submitted(time, capsys, slurm):
    assert f"--time={time}" in requests(script(capsys, "--time", time))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--trainer.max_epoch", "3"], "did you mean --trainer.max_epochs?"),
        (["--trainer.max_epochs", "many"], "--trainer.max_epochs: wanted a whole number"),
        (["--data.batchsize", "3"], "did you mean batch_size?"),
        (["+dpd"], "did you mean +ddp?"),
        (["+compile"], "single kernels"),
        *((["--time", time], f"--time {time}: the last two minutes") for time in SHORT),
        (["--time", "tomorrow"], "--time 'tomorrow': wanted HH:MM:SS"),
        (["--partition", "gpu --nodes=9"], "--partition 'gpu --nodes=9': wanted a name"),
        (["--account", "a\n#SBATCH --nodes=9"], "--account"),
        (["--mem", "lots"], "--mem 'lots': wanted a size"),
        (["--nodes", "0"], "--nodes 0: wanted 1 or more"),
        (["--gpus", "-1"], "--gpus -1: wanted 0 or more"),
        (["--array", "all"], "--array 'all': wanted seeds"),
        (["--env", "A"], "--env A: wanted NAME=VALUE"),
        (["--env", "A B=3"], "wanted NAME=VALUE"),
        (["--env", "WANDB_API_KEY=123"], "secrets do not go into a file"),
        (["--trainer.devices", "3"], "follows from --nodes and --gpus"),
        (["--runs", "here\nthere"], "takes no quotes"),
        (["--container-runtime", "pyxis"], "add --container IMAGE"),
        (["--container-runtime", "docker"], "apptainer, pyxis"),
        (["--gpu", "3"], "did you mean --gpus?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_one_line_says_why(arguments, words, capsys, slurm):
    line = fails(capsys, *SUBMIT, *arguments)
    assert words in line
    assert "123" not in line
    assert not (slurm / "submitted").exists()


def test_without_sbatch_a_dry_run_is_suggested(capsys, monkeypatch):
    monkeypatch.setenv("PATH", "nowhere")
    assert "--dry-run" in fails(capsys, *SUBMIT)


def test_where_sbatch_refuses_nothing_is_left(capsys, slurm, monkeypatch):
    monkeypatch.setenv("REFUSED", "invalid partition specified: gpu")
    assert "invalid partition specified: gpu" in fails(capsys, *SUBMIT)


# A job


def job(folder: Path) -> subprocess.Popen:
    """Starts the submitted file as SLURM would, on two nodes."""
    variables = {"SLURM_JOB_ID": JOB, "SLURM_NNODES": "2", "SLURM_JOB_NAME": RECIPE}
    variables["OMP_NUM_THREADS"] = "1"
    return subprocess.Popen(
        ["bash", str(folder / "submitted")],
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def last(run: Path) -> dict:
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)


@pytest.mark.slow
def test_a_job_that_is_requeued_ends_as_if_nothing_had_been(slurm, capsys):
    options = ["--trainer.max_epochs", "25", "--data.batch_size", "16"]
    assert main([*SUBMIT, "--nodes", "2", "--gpus", "0", *options]) == 0
    run = Path("runs") / RECIPE / f"job-{JOB}"

    first = job(slurm)
    started = time.monotonic()
    while not (run / "checkpoints" / "last.ckpt").exists():
        assert first.poll() is None, first.stdout.read()
        assert time.monotonic() - started < 150
        time.sleep(0.02)
    for pid in (slurm / "pids").read_text().split():
        os.kill(int(pid), signal.SIGUSR1)
    out, _ = first.communicate(timeout=120)
    assert first.returncode != 0, out
    assert (slurm / "requeues").read_text() == f"requeue {JOB}\n"
    stopped_at = last(run)["global_step"]
    assert "Traceback" not in out

    second = job(slurm)
    out, _ = second.communicate(timeout=180)
    assert second.returncode == 0, out
    assert f"it goes on from {run}/checkpoints/last.ckpt" in out
    assert (slurm / "requeues").read_text() == f"requeue {JOB}\n", "requeued once more"
    assert [path.name for path in run.parent.iterdir() if path.is_dir()] == [run.name]
    assert list(run.glob("metrics-1.csv"))
    whole = last(run)
    assert stopped_at < whole["global_step"]

    one = ["--data.synthetic", "true", "--trainer.accelerator", "cpu"]
    assert main(["fit", RECIPE, *one, "--trainer.max_epochs", "25", "--data.batch_size", "32"]) == 0
    at_once = last(Path("runs") / RECIPE / "1")
    assert whole["global_step"] == at_once["global_step"]
    for key, value in at_once["state_dict"].items():
        torch.testing.assert_close(whole["state_dict"][key], value, rtol=1e-3, atol=1e-4)


def test_last_begins_anew_where_there_is_none(capsys):
    quick = [
        "--data.synthetic",
        "true",
        "--trainer.max_epochs",
        "1",
        "--trainer.accelerator",
        "cpu",
    ]
    for _ in range(2):  # a number is never a job's: the second run does not go on with the first
        assert main(["fit", RECIPE, *quick, "--ckpt_path", "last"]) == 0
        assert "goes on from" not in capsys.readouterr().out
    steps = [last(Path("runs") / RECIPE / number)["global_step"] for number in "12"]
    assert steps[0] == steps[1]


def test_a_job_that_had_ended_just_reports(capsys, monkeypatch):
    for name, value in {"SLURM_JOB_ID": JOB, "SLURM_PROCID": "0", "SLURM_JOB_NAME": "x"}.items():
        monkeypatch.setenv(name, value)
    quick = [
        "--data.synthetic",
        "true",
        "--trainer.max_epochs",
        "1",
        "--trainer.accelerator",
        "cpu",
    ]
    for _ in range(2):
        assert main(["fit", RECIPE, *quick, "--ckpt_path", "last"]) == 0
    assert f"zoo validate --ckpt_path runs/{RECIPE}/job-{JOB}" in capsys.readouterr().out


def test_runs_of_one_job_overwrite_nothing_of_each_other(capsys, monkeypatch):
    for name, value in {"SLURM_JOB_ID": JOB, "SLURM_PROCID": "0", "SLURM_JOB_NAME": "x"}.items():
        monkeypatch.setenv(name, value)
    fit = ["fit", RECIPE, "--data.synthetic", "true", "--trainer.accelerator", "cpu"]
    seeds = [["--seed_everything", seed] for seed in "12"]
    for given in (*seeds, seeds[0]):
        assert main([*fit, "--trainer.max_epochs", "1", *given]) == 0
    begun = last(Path("runs") / RECIPE / f"job-{JOB}-2")["global_step"]
    capsys.readouterr()
    longer = [*fit, "--trainer.max_epochs", "2"]
    assert main([*longer, *seeds[1], "--ckpt_path", "last"]) == 0
    assert "it goes on from" in capsys.readouterr().out
    assert main([*longer, *seeds[0]]) == 0
    runs = {path.name: last(path)["global_step"] for path in (Path("runs") / RECIPE).iterdir()}
    ends = {"": begun, "-2": 2 * begun, "-3": 2 * begun}
    assert runs == {f"job-{JOB}{number}": steps for number, steps in ends.items()}


def test_the_file_to_be_edited_says_what_submit_writes(slurm, capsys):
    path = ROOT / "scripts" / "slurm" / "train.sbatch"
    text = path.read_text()
    sizes = {"SLURM_NNODES": "2", "SLURM_NTASKS_PER_NODE": "4", "SLURM_CPUS_PER_TASK": "8"}
    assert run(text, **sizes).returncode == 0
    edited = arguments_of(slurm)
    options = ["--nodes", "2", "--gpus", "4", "--cpus-per-task", "8", "--mem", "64G"]
    options += ["--time", "04:00:00", "--dry-run"]
    assert main(["submit", "resnet-cifar10", "+ddp", "+bf16", *options]) == 0
    written = capsys.readouterr().out
    assert run(written).returncode == 0
    words = [word for word in arguments_of(slurm) if word not in ("--runs", "runs")]
    assert edited == ["zoo", *words[3:]]
    differs = requests(text) ^ requests(written)
    assert {word.partition("=")[0].lstrip("#") for word in differs} == {
        *("--output", "SBATCH --partition", "SBATCH --account"),
    }
