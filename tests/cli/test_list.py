"""`zoo list`: what there is by task, with names whole, as JSON, and in the user's pager."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, all_recipes, fails
from tests.terminals import Terminal
from zoo.catalogue import architectures, corpora, recipes
from zoo.checkpoints.bundled import bundled
from zoo.cli.main import main
from zoo.cli.overlays import overlays

KINDS = ("models", "corpora", "recipes", "overlays")
NAMES = {
    "models": architectures(),
    "corpora": corpora(),
    "recipes": recipes(),
    "overlays": [f"+{name}" for name in overlays()],
}


def printed(capsys, *argv):
    assert main(["list", *argv]) == 0
    return capsys.readouterr().out


def loaded(capsys, *argv):
    return json.loads(printed(capsys, *argv, "--json"))


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
@pytest.mark.parametrize("kind", KINDS)
def test_names_are_whole_and_rows_fit(kind, columns, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    title, *lines = printed(capsys, kind).splitlines()
    assert title.startswith(f"{kind}: {len(NAMES[kind])}; ")
    assert not [line for line in lines if len(line) > max(columns, 76)]
    words = {word.rstrip(",") for line in lines for word in line.split()}
    assert set(NAMES[kind]) <= words
    if kind != "overlays":
        tasks = {line for line in lines if re.fullmatch(r"\w+", line)}
        assert tasks == {
            path.parent.name for path in (ROOT / "zoo" / "recipes").glob("*/[!_]*.yaml")
        } - {"overlays"}


def test_everything_takes_a_screen_a_kind(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = printed(capsys)
    starts = [text.index(f"{kind}: ") for kind in KINDS]
    assert starts == sorted(starts)
    assert len(text.splitlines()) < 320  # 166 names, each with what it is or measured
    lines = printed(capsys, "recipes").splitlines()
    assert len(lines) == len(recipes()) + 2 * 11 + 1 + 2 + len(bundled())  # one a recipe


def test_a_result_has_its_recipe(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = " ".join(printed(capsys, "models").split())
    assert "LeNet 61.7k test accuracy 0.8" in text
    for row in loaded(capsys, "models")["models"]:
        shown = [
            r
            for r in row["results"]
            if f"{r['text'].split(',')[0].split(' after')[0]}, {r['recipe']}" in text
        ]
        assert len(shown) == min(1, len(row["results"])), row["name"]


def test_json_has_numbers_as_numbers(capsys):
    found = loaded(capsys)
    assert {kind: [row["name"] for row in rows] for kind, rows in found.items()} == {
        kind: list(names) for kind, names in NAMES.items()
    }
    lenet = next(row for row in found["models"] if row["name"] == "LeNet")
    assert lenet["parameters"] == 61706
    assert lenet["task"] == "image_classification"
    assert lenet["trained"] == ["lenet_relu-fashion_mnist"]
    rows = {row["name"]: row for row in found["recipes"]}
    one = rows["lenet-fashion_mnist"]["result"]
    assert one["recipe"] == "lenet-fashion_mnist"
    assert one["corpus"] == "FashionMNIST"
    assert 0.8 < one["metrics"]["test accuracy"] < 1
    assert (one["epochs"], one["seed"], one["data"]) == (10, 0, "real")
    assert rows["alexnet-fashion_mnist"]["result"] is None
    assert rows["surface_adadelta-gradient_noise"]["result"]["steps"] == 50
    assert 0 < rows["surface_adadelta-gradient_noise"]["result"]["metrics"]["f"] < 1


@pytest.mark.parametrize("recipe", [r for r in all_recipes() if r.result], ids=lambda r: r.name)
def test_a_result_is_read_whole(recipe, capsys):
    found = loaded(capsys, "recipes", recipe.name)["recipes"]
    result = next(row["result"] for row in found if row["name"] == recipe.name)
    text = recipe.result.removeprefix(f"{recipe.name}: ")
    assert result["text"] == text
    figures = re.findall(r"(?<= )-?[\d.]+(?:e-?\d+)?(?=,| after)", text.partition(" (")[0])
    assert [float(value) for value in figures] == list(result["metrics"].values())
    assert (result.get("epochs") or result.get("steps")) > 0
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", result["date"])


def test_a_task_and_what_comes_trained(capsys):
    found = loaded(capsys, "--task", "translation")
    assert {row["name"] for row in found["models"]} == {
        "AttentionSeq2Seq",
        "Seq2Seq",
        "Transformer",
    }
    assert {row["name"] for row in found["corpora"]} == {"FraEng", "PairFile"}
    assert found["overlays"] == []
    assert all(row["task"] == "translation" for row in found["recipes"])
    assert loaded(capsys, "--task", "Image classification") == loaded(
        capsys, "--task=image_classification"
    )
    assert "FashionMNIST" in printed(capsys, "corpora", "--task", "generation")
    trained = loaded(capsys, "--trained")
    assert [row["name"] for row in trained["recipes"]] == [r for r in recipes() if r in bundled()]
    assert {row["name"] for row in trained["models"]} == {recipes()[n].model for n in bundled()}
    text = printed(capsys, "recipes", "--trained")
    assert "zoo predict INPUT --ckpt_path NAME" in text
    assert set(bundled()) <= set(text.partition("bundled checkpoints")[2].split())


def test_what_is_not_there(capsys):
    assert "did you mean translation?" in fails(capsys, "list", "--task", "translaton")
    assert "called lenet and of the task translation" in fails(
        capsys, "list", "lenet", "--task", "translation"
    )
    assert "nothing is trained" in fails(capsys, "list", "overlays", "--trained")
    assert "did you mean LeNet?" in fails(capsys, "list", "lenett")
    assert "--task translation" in fails(capsys, "list", "translation")


# In a terminal

LIST = [sys.executable, "-m", "zoo.cli", "list"]


@pytest.mark.parametrize(
    ("rows", "pager", "paged"),
    [(24, "sed s/^/P/", True), (900, "sed s/^/P/", False), (24, "", False), (24, "cat", False)],
)
@pytest.mark.parametrize("columns", [80, 200])
def test_a_list_longer_than_the_screen_goes_through_the_pager(columns, rows, pager, paged):
    terminal = Terminal([*LIST, "recipes"], columns, rows, {"PAGER": pager})
    code, text = terminal.end()
    assert code == 0
    lines = text.splitlines()
    assert all(line.startswith("P") for line in lines) == paged
    assert set(recipes()) <= {word.removeprefix("P") for line in lines for word in line.split()}


def test_a_list_is_printed_where_there_is_no_pager():
    code, text = Terminal([*LIST, "models"], 80, 24, {"PAGER": "no-such-pager"}).end()
    assert code == 0
    assert "\nimage_classification\n" in text


def test_less_pages_by_default():
    if shutil.which("less") is None:
        pytest.skip("less is not installed")
    terminal = Terminal([*LIST, "models"], 80, 24, {"PAGER": None, "LESS": None})
    assert len(terminal.until("NiN ").splitlines()) <= 24
    terminal.send("\x03")  # for the pager
    terminal.send(" ")
    terminal.until("ResNeXt ")
    terminal.send("q")
    assert terminal.end()[0] == 0


def test_a_pipe_gets_no_pager(monkeypatch):
    shell = f"PAGER='sed s/^/P/' '{sys.executable}' -m zoo.cli list models | cat > piped"
    assert Terminal(["sh", "-c", shell], 80, 24).end()[0] == 0
    assert Path("piped").read_text().startswith("models: ")
