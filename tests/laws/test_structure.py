"""The laws of the house: who imports whom, what a file is called, what a header says."""

import ast
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import pytest

import datamodules
import zoo
from tests.conftest import ROOT, all_architectures, all_recipes
from tests.laws.conftest import BASES, sources
from zoo.catalogue import corpora, lineage, scan
from zoo.cli.overlays import overlays
from zoo.runs.comparison.wandb_runs import files_of
from zoo.runs.history import pictures_in


def test_no_vague_file_names():
    vague = {"utils", "helpers", "common", "misc"}
    assert not [module for module in sources() if module.rpartition(".")[2] in vague]


ROOMS_OF_CORPORA = (
    *("batches", "boxes", "files", "formats", "pictures"),
    *("synthetic", "tables", "text", "words"),
)


def strangers(entries: Iterable[Path], corpora: set[str]) -> list[str]:
    """What lies beside the corpora, and is neither one of them nor what all are made of."""
    known = {f"{name}.py" for name in (*corpora, *BASES, "__init__")} | {*ROOMS_OF_CORPORA}
    return sorted(e.name for e in entries if e.name not in known and e.name != "__pycache__")


def test_beside_the_corpora_lie_their_bases_and_rooms_alone():
    offered = {definition.path.stem for definition in corpora().values()}
    assert strangers((ROOT / "datamodules").iterdir(), offered) == []


@pytest.mark.parametrize("name", ["helpers.py", "idx.py", "utils", "notes.txt"])
def test_what_is_no_corpus_beside_the_corpora_is_seen(name):
    lying = [Path("datamodules", each) for each in ("imdb.py", "corpus.py", "text", name)]
    assert strangers(lying, {"imdb"}) == [name]


def long(paths: Iterable[Path]) -> list[str]:
    """Files of tests over 500 lines."""
    return [str(path) for path in paths if len(path.read_text("utf-8").splitlines()) > 500]


def test_no_file_of_tests_is_over_500_lines(tmp_path):
    assert long((ROOT / "tests").rglob("*.py")) == []
    (tmp_path / "test_all.py").write_text("pass\n" * 501)
    assert long(tmp_path.iterdir()) == [str(tmp_path / "test_all.py")]


def test_every_corpus_that_is_offered_is_one():
    for name in corpora():
        assert getattr(datamodules, name).title, name


def test_the_package_tells_what_it_has_and_its_version():
    assert {"load", "list_models", *zoo.list_models()} <= set(dir(zoo))
    assert zoo.__version__ == version("deep-learning-zoo")
    with pytest.raises(AttributeError, match="has no attribute 'LeNett'"):
        zoo.LeNett  # noqa: B018


@pytest.mark.parametrize("definition", all_architectures(), ids=lambda d: d.name)
def test_a_module_is_its_class_in_words(definition):
    assert definition.path.stem.replace("_", "") == definition.name.lower()


@pytest.mark.parametrize("definition", all_architectures(), ids=lambda d: d.name)
def test_header_is_whole(definition):
    assert {"Paper", "Shapes", "Size", "Config"} <= set(definition.header)
    configured = definition.header["Config"].split(", ")
    assert sorted(configured) == sorted(
        recipe.name for recipe in all_recipes() if recipe.model == definition.name
    )
    measured = [line.partition(":")[0] for line in definition.results]
    assert measured == [name for name in configured if name in measured]


@pytest.mark.parametrize("definition", all_architectures(), ids=lambda d: d.name)
def test_results_say_how_they_were_measured(definition):
    for line in definition.results:
        assert re.search(r"after [\d,]+ (epochs?|steps) \(.*seed \d+.* 20\d\d-\d\d-\d\d", line), (
            line
        )
        drawn = line.partition(":")[0].endswith("-gradient_noise")
        assert drawn or re.search(r"\((real|synthetic|generated)", line), line


@pytest.mark.parametrize("recipe", all_recipes(), ids=lambda r: r.name)
def test_a_recipe_fits_a_screen_and_says_what_it_is(recipe):
    lines = recipe.text.splitlines()
    assert lines[0].startswith("# ")
    assert len(lines) <= 20
    model, corpus = recipe.config["model"]["class_path"], recipe.config["data"]["class_path"]
    assert model.startswith(f"zoo.{recipe.path.parent.name}.")
    stem, _, end = recipe.name.partition("-")
    assert stem.startswith(model.split(".")[-2])
    assert end == corpus.split(".")[-2]


def test_each_family_and_corpus_states_its_batch():
    tasks = sorted((ROOT / "zoo").glob("*/task.py"))
    found = scan("datamodules", ROOT / "datamodules")
    corpora = {d.path for d in found.values() if "datamodules.corpus.Corpus" in lineage(d, found)}
    assert tasks
    for path in [*tasks, *corpora]:
        assert "\nBatch: " in (ast.get_docstring(ast.parse(path.read_text())) or ""), path


def test_the_wheel_holds_all_that_git_does_of_both_packages(tmp_path):
    listed = subprocess.run(
        ["git", "ls-files", "zoo", "datamodules"], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("no checkout of git")
    kept = set(listed.stdout.splitlines())
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", *kept):
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    code = "from setuptools.build_meta import build_wheel; print(build_wheel('.'))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    names = set(zipfile.ZipFile(tmp_path / done.stdout.split()[-1]).namelist())
    assert {name for name in names if ".dist-info/" not in name} == kept


@pytest.mark.parametrize("reverse", [False, True])
def test_listings_do_not_depend_on_the_file_system(reverse, tmp_path, monkeypatch):
    """Which hands out names in an order of its own."""
    for name in ("b.png", "a.png", "c.PNG", "run-b.wandb", "run-a.wandb"):
        (tmp_path / name).touch()
    known = list(scan("zoo.optimizers", ROOT / "zoo" / "optimizers"))
    for method in ("glob", "rglob"):
        found = getattr(Path, method)
        monkeypatch.setattr(
            Path, method, lambda *given, found=found: iter(sorted(found(*given), reverse=reverse))
        )
    assert list(pictures_in(tmp_path)) == ["a", "b", "c"]
    assert [path.name for path in files_of(tmp_path)] == ["run-a.wandb", "run-b.wandb"]
    assert list(overlays.__wrapped__()) == sorted(overlays())
    assert list(scan("zoo.optimizers", ROOT / "zoo" / "optimizers")) == known


def test_what_is_printed_is_never_read_as_markup():
    """A path or a label may look like it: one function makes the consoles, which takes none."""
    made = re.compile(r"\bConsole\((?!\)\.is_terminal)|rich\.(print|markup)|\bprint_json")
    found = {path: made.findall(path.read_text("utf-8")) for path in (ROOT / "zoo").rglob("*.py")}
    assert {path.name: len(calls) for path, calls in found.items() if calls} == {"report.py": 1}
