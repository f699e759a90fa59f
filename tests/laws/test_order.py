"""What a folder or a set gives in any order stands in one order."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

import zoo
from tests.cli.conftest import write_run
from zoo.catalogue import recipes, scan
from zoo.cli.export.model_card import _results
from zoo.cli.overlays import overlays
from zoo.cli.predict.texts import print_unknown
from zoo.cli.sweep.parameters import Parameter
from zoo.cli.sweep.picture import _axis
from zoo.generation import sample_grids
from zoo.runs.comparison.pictures import embedded
from zoo.runs.comparison.wandb_runs import files_of
from zoo.runs.history import pictures_in
from zoo.training.progress import EpochLines

NAMES = [f"{letter}{number}" for letter in "cabd" for number in (3, 1, 2)]
LISTINGS = ("glob", "rglob", "iterdir")


@pytest.fixture(autouse=True)
def _backwards(monkeypatch):
    """Lists folders from Z to A, as a file system may."""
    for name in LISTINGS:
        plain = getattr(Path, name)

        def backwards(*args, plain=plain, **options):
            return iter(sorted(plain(*args, **options), reverse=True))

        monkeypatch.setattr(Path, name, backwards)


def files(folder, pattern="{}"):
    """Files of all names in a new folder, and their paths in order."""
    paths = [folder / pattern.format(name) for name in NAMES]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return sorted(paths)


def test_names():
    for found in (overlays.__wrapped__(), recipes.__wrapped__()):
        assert [*found.values()] == sorted(found.values(), key=lambda recipe: recipe.path)
    paths = [each.path for each in scan.__wrapped__("zoo", Path(zoo.__file__).parent).values()]
    assert paths == sorted(paths)


@pytest.mark.parametrize("pattern", ["run-{}.wandb", "offline-run-{}/run-1.wandb"])
def test_offline_runs(tmp_path, pattern):
    assert files_of(tmp_path) == []
    assert files(tmp_path, pattern) == files_of(tmp_path)


def test_pictures_of_a_run(tmp_path):
    assert files(tmp_path, "{}.png") == [*pictures_in(tmp_path).values()]


def test_pictures_of_a_page(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    runs = [SimpleNamespace(name="run", pictures={name: tmp_path / "a.png"}) for name in NAMES]
    assert [*embedded(runs)[0]] == sorted(NAMES)


def test_metrics_of_a_card(tmp_path):
    run = write_run(tmp_path / "run", test=dict.fromkeys(NAMES, 0.5))
    record = json.loads((run / "test.json").read_text())
    (run / "test.json").write_text(json.dumps({**record, "checkpoint": "best.ckpt"}))
    source = run / "checkpoints" / "best.ckpt"
    card = SimpleNamespace(run=run, source=source, checkpoint={}, state=None)
    rows = [line.split("|")[1].strip() for line in _results(card) if line.startswith("|")]
    assert rows[2:] == sorted(NAMES)


def test_frames_of_a_film(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(sample_grids, "write_film", lambda frames, path: written.extend(frames))
    wanted = files(tmp_path / "samples", "{}.png")
    film = sample_grids.SampleFilm(tmp_path)
    film.on_train_end(SimpleNamespace(is_global_zero=True), None)
    assert written == wanted


def test_choices_on_an_axis():
    distribution, texts = _axis(Parameter("model.kind", "categorical", {}), NAMES)
    assert texts == NAMES
    assert distribution.choices == tuple(sorted(NAMES))


def test_metrics_of_an_epoch(capsys):
    metrics = {f"val/{name}": 0.5 for name in NAMES}
    trainer = SimpleNamespace(
        is_global_zero=True, callback_metrics=metrics, current_epoch=1, max_epochs=2
    )
    lines = EpochLines()
    lines.seconds = 1.0
    lines.on_train_end(trainer, None)
    words = capsys.readouterr().out.split()
    assert [word for word in words if word in metrics] == sorted(metrics)


def test_unknown_tokens(capsys):
    print_unknown(NAMES, {})
    assert capsys.readouterr().out.split(": ")[1].split() == sorted(NAMES)
