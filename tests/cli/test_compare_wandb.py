"""compare of W&B: files of offline runs as the zoo writes them, projects of a fake server."""

import json
import re
import socket
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import wandb

from tests.cli.conftest import RECIPE, cells, lines, settings, write_run
from tests.conftest import fails
from zoo.cli.compare_runs import compare
from zoo.cli.main import main
from zoo.errors import InputError
from zoo.runs.comparison.wandb_runs import read_offline, read_online
from zoo.runs.wandb_logger import finish

pytestmark = pytest.mark.usefixtures("wide", "undrawn")


@pytest.fixture(autouse=True, scope="module")
def _alone():
    """W&B keeps in a process the mode that it was first used in."""
    finish()
    yield
    finish()


# Offline


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a real run, with the files of W&B in it."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("WANDB_MODE", "offline")
        for name in ("PL_GLOBAL_SEED", "ZOO_RUN", "SLURM_JOB_ID"):
            patch.delenv(name, raising=False)
        options = ["--data.synthetic", "true", "--trainer.max_epochs", "2", "--wandb", "offline"]
        assert main(["fit", RECIPE, *options, "--trainer.accelerator", "cpu"]) == 0
    return folder / "runs" / RECIPE / "1"


def test_a_run_and_its_offline_file_say_the_same(trained, capsys):
    (wandb_folder,) = trained.glob("wandb/offline-run-*")
    output = Path("a.png")
    compare([trained, wandb_folder], output, files={"html": Path("page.html")})
    text = capsys.readouterr().out
    assert "no settings differ" in text
    header, *rows = [re.split(r"  +", line) for line in text.splitlines()[1:4]]
    assert header[0] == "image classification"
    assert [row[0] for row in rows] == ["1", f"{RECIPE}/1 (W&B)"]
    assert rows[0][1:] == rows[1][1:]
    assert len(rows[0]) == 1 + 1 + 2 * 2 + 2 + 3
    assert "-" not in rows[0]
    page = Path("page.html").read_text()
    assert page.count('alt="validation_confusion of ') == 2


@pytest.mark.parametrize("config", [{}, {"": 3, "rate": 1}])
def test_a_run_without_settings_has_no_nameless_one(capsys, config):
    with wandb.init(mode="offline", config=config, dir=str(Path().resolve())) as run:
        run.log({"loss": 1.0})
        run.log({"loss": 0.5})
    finish()  # what was set up here is not silent
    (file,) = Path().glob("wandb/offline-run-*/run-*.wandb")
    assert "" not in read_offline(file).settings
    assert main(["compare", str(file), str(file.parent)]) == 0
    assert "loss" in capsys.readouterr().out


def test_any_way_to_name_an_offline_run_reads_it_once(trained, capsys):
    (file,) = trained.glob("wandb/offline-run-*/run-*.wandb")
    compare([file, file.parent, trained / "wandb"], Path("a.png"))
    assert len(cells(capsys.readouterr().out, "epochs")) == 1


def test_a_run_that_still_writes_is_read_as_far_as_it_goes(trained):
    (file,) = trained.glob("wandb/offline-run-*/run-*.wandb")
    content = file.read_bytes()
    whole = read_offline(file)
    cut = Path("run-cut.wandb")
    for part in (0.3, 0.8):
        cut.write_bytes(content[: int(len(content) * part)])
        try:
            run = read_offline(cut)
        except InputError as error:
            assert "nothing was logged" in str(error)  # noqa: PT017
            continue
        assert run.lines == whole.lines[: len(run.lines)]
        assert run.record["state"] in ("running", "finished")
    assert whole.record["state"] == "finished"
    assert run.lines


@pytest.mark.parametrize("content", [b"", b"junk" * 100, bytes(range(256)) * 40])
def test_a_damaged_file_is_one_line(content, capsys):
    Path("run-bad.wandb").write_bytes(content)
    assert fails(capsys, "compare", "run-bad.wandb").startswith("zoo: run-bad.wandb: ")


def test_a_wandb_that_cannot_read_is_told_with_the_way_out(capsys, monkeypatch):
    Path("run-a.wandb").write_bytes(b"")
    told = SimpleNamespace(returncode=2, stdout="", stderr="Error: No such command 'leet'.\n")
    monkeypatch.setattr(
        "zoo.runs.comparison.wandb_runs.subprocess.run", lambda *args, **options: told
    )
    assert "pip install --upgrade wandb" in fails(capsys, "compare", "run-a.wandb")
    told.stderr = "trouble\nError: cannot open\n"
    assert "(cannot open)" in fails(capsys, "compare", "run-a.wandb")


# Online


class FakeRun:
    def __init__(self, name, accuracies, state="finished", summary=None, config=None):
        self.name, self.state, self.summary = name, state, summary or {}
        self.config = config or {"_wandb": {}, "lr": 0.5, **settings()}
        self.accuracies = accuracies

    def scan_history(self):
        for step, row in enumerate(lines(self.accuracies)):
            told = {**row, "trainer/global_step": row["step"], "_step": step, "_runtime": 1.5}
            told |= {"picture": {"_type": "image-file"}, "missing": None, "note": "words"}
            yield {key: value for key, value in told.items() if key != "step"}


@pytest.fixture
def server(monkeypatch):
    """A fake in the place of wandb.Api, and a port that answers."""
    runs = {"a": FakeRun("lenet/1", [0.5, 0.75]), "empty": FakeRun("lenet/2", [])}
    asked = []

    class Api:
        def run(self, path):
            asked.append(path)
            if path.rpartition("/")[2] not in runs:
                raise wandb.errors.CommError(f"Could not find run\n<Run {path}>")
            return runs[path.rpartition("/")[2]]

        def runs(self, path, order):
            asked.append((path, order))
            yield from runs.values()

    listener = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setattr(wandb, "Api", Api)
    monkeypatch.setattr(wandb, "login", lambda **options: True)
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{listener.getsockname()[1]}")
    yield SimpleNamespace(runs=runs, asked=asked)
    listener.close()


def test_a_project_is_compared_with_runs_on_this_disk(server, capsys):
    record = {"state": "finished", "seconds": 61.0, "rows_per_second": 10.0}
    server.runs["b"] = FakeRun("lenet/3", [0.25], "crashed", {"run": record, "_runtime": 99})
    write_run("runs/lenet/1", lines([0.5, 0.625]))
    compare(["runs/lenet/1", "me/zoo"], wandb="online")
    text = capsys.readouterr().out
    assert server.asked == [("me/zoo", "+created_at")]
    assert cells(text, "run") == ["1", "lenet/1 (W&B)", "lenet/3 (W&B)"]
    assert cells(text, "val/accuracy, best") == ["0.6250 (2)", "0.7500 (2)", "0.2500 (1)"]
    assert cells(text, "wall time") == ["-", "-", "1 min 01 s"]
    assert "picture" not in text
    assert "lr" not in text


@pytest.mark.parametrize(
    "name",
    [
        "me/zoo/a",
        "me/zoo/runs/a",
        "https://wandb.ai/me/zoo/runs/a?nw=x",
        "http://h:1/me/zoo/runs/a/",
    ],
)
def test_a_single_run_may_be_named_in_any_way(name, server):
    (run,) = read_online(name)
    assert server.asked == ["me/zoo/a"]
    assert (run.label, run.record["state"]) == ("lenet/1", "finished")
    assert run.epochs == 2


def test_states_and_equal_names_are_told_apart(server, capsys):
    server.runs |= {"b": FakeRun("lenet/1", [0.5], "running"), "c": FakeRun("x", [0.1], "killed")}
    compare(["me/zoo"], wandb="online")
    text = capsys.readouterr().out
    assert cells(text, "run") == ["lenet/1 [1]", "lenet/1 [2]", "x"]
    assert cells(text, "state") == ["finished", "running", "stopped"]
    assert Path("compare.png").is_file()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("me/zoo/none", "W&B cannot be read: Could not find run <Run me/zoo/none>"),
        ("me/zoo/empty", "lenet/2: empty: nothing was logged"),
        ("https://wandb.ai/me", "there is no such run folder"),
    ],
)
def test_what_the_server_has_not_is_one_line(name, message, server, capsys):
    assert message in fails(capsys, "compare", name, "--wandb", "online")


def test_a_project_of_nothing_is_one_line(server, capsys):
    server.runs.clear()
    assert "no run in it logged" in fails(capsys, "compare", "me/zoo", "--wandb", "online")


def test_no_server_is_asked_unasked(server, capsys):
    line = fails(capsys, "compare", "me/zoo")
    assert "there is no such run folder" in line
    assert "--wandb online" in line
    assert server.asked == []


def test_a_folder_comes_before_a_project_of_its_name(server, capsys):
    write_run("me/zoo")
    compare(["me/zoo"], wandb="online")
    assert server.asked == []


def test_a_missing_login_is_one_line(server, capsys, monkeypatch):
    monkeypatch.setattr(wandb, "login", lambda **options: False)
    assert "`wandb login`" in fails(capsys, "compare", "me/zoo", "--wandb", "online")


def test_a_dead_server_is_one_line_in_seconds(capsys, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    start = time.perf_counter()
    assert "does not answer" in fails(capsys, "compare", "me/zoo", "--wandb", "online")
    assert time.perf_counter() - start < 25


def test_a_silent_server_is_one_line_in_seconds(server, capsys, monkeypatch):
    monkeypatch.setattr(wandb, "Api", lambda: time.sleep(30))
    start = time.perf_counter()
    line = fails(capsys, "compare", "me/zoo", "--wandb", "online")
    assert "me/zoo: W&B cannot be read: no answer in 5 s" in line
    assert time.perf_counter() - start < 25


def test_metrics_that_are_no_numbers_are_read(server):
    server.runs["a"].scan_history = lambda: iter(
        [{"trainer/global_step": 9, "val/loss": "NaN", "flag": True}]
    )
    (run,) = read_online("me/zoo/a")
    assert json.dumps(run.lines) == '[{"val/loss": NaN, "step": 9.0}]'
