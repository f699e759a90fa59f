"""test needs no part but the one that it reads: what else it has to know is in the checkpoint."""

import json
import shutil
from pathlib import Path

import pytest

from datamodules import (
    IMDB,
    FashionMNIST,
    LabelledTexts,
    PennTreebank,
    PictureFolder,
    YOLOFormat,
)
from tests.conftest import fails
from tests.corpora.conftest import encoded, yolo
from zoo.cli.main import main

SMALL = {
    LabelledTexts: ("BagOfEmbeddings", ["--model.embed_dim", "8"]),
    PictureFolder: ("LeNet", ["--data.size", "32"]),
    YOLOFormat: ("TinySSD", ["--data.size", "64", "--model.width_ratio", "0.1"]),
}
WORDS = {"bees": "buzz honey", "cats": "purr milk", "dogs": "bark bone"}


def texts(root: Path, part: str, labels) -> None:
    for label in labels:
        for number in range(8):
            path = root / part / label / f"{number}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{WORDS[label]} number {number} {WORDS[label]}")


def pictures(root: Path, part: str, labels) -> None:
    for seed, label in enumerate(labels):
        for number in range(8):
            path = root / part / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded(32, 32, seed=seed))


def boxes(root: Path, part: str, labels) -> None:
    """Cats and dogs, after ants where there are three names."""
    yolo(root, f"images/{part}", f"labels/{part}", names=False)
    names = ["ant", "cat", "dog"][-len(labels) :]
    root.joinpath("data.yaml").write_text(f"names: {json.dumps(names)}\n")
    for file in (root / "labels" / part).glob("*.txt"):
        lines = file.read_text().splitlines()
        file.write_text("\n".join(f"{int(line[0]) + len(names) - 2}{line[1:]}" for line in lines))


WRITERS = {LabelledTexts: texts, PictureFolder: pictures, YOLOFormat: boxes}


@pytest.mark.parametrize("cls", SMALL)
def test_a_folder_with_the_test_part_alone_is_measured_the_same(tmp_path, cls, capsys):
    root, write = tmp_path / "own", WRITERS[cls]
    write(root, "train", WORDS)
    write(root, "test", WORDS if cls is YOLOFormat else list(WORDS)[1:])
    model, options = SMALL[cls]
    few = ["--trainer.max_epochs", "1", "--trainer.accelerator", "cpu", "--data.batch_size", "4"]
    named = ["--model", model, "--data", cls.__name__, "--data.path", str(root)]
    assert main(["fit", *named, *options, *few]) == 0
    checkpoint = next(Path("runs").glob("*/1/checkpoints/last.ckpt"))
    test = ["test", "--ckpt_path", str(checkpoint), "--trainer.accelerator", "cpu"]
    assert main([*test, "--data.path", str(root)]) == 0
    record = checkpoint.parents[1] / "test.json"
    wanted = json.loads(record.read_text())["metrics"]
    for gone in (root / "train", root / "images/train", root / "labels/train"):
        shutil.rmtree(gone, ignore_errors=True)
    if cls is YOLOFormat:  # a list of names is a file of its own: one of fewer
        write(root, "test", list(WORDS)[1:])
    record.unlink()
    assert main([*test, "--data.path", str(root)]) == 0
    assert json.loads(record.read_text())["metrics"] == pytest.approx(wanted)
    capsys.readouterr()
    line = fails(capsys, "fit", *named, *options, *few)
    assert "of train" in line or "two classes" in line


def test_reviews_to_test_on_alone(checkpoint, tmp_path, capsys):
    path = checkpoint("BidirectionalRNN")
    corpus = IMDB(synthetic=True, max_length=5)
    corpus.prepare_data()
    corpus.setup("test")
    shutil.copytree(corpus.folder / "aclImdb/test", tmp_path / "own/aclImdb/test")
    options = ["--data.synthetic", "false", "--data.root", str(tmp_path / "own")]
    assert main(["test", "--ckpt_path", str(path), "--trainer.accelerator", "cpu", *options]) == 0
    assert f"{len(corpus.data['test'])} test" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("LeNet", ["FashionMNIST/raw/t10k-*"]),
        ("GRU", ["ptb/ptb.test.txt"]),
    ],
)
def test_the_files_to_test_on_alone(checkpoint, tmp_path, name, files, capsys):
    if name == "GRU":
        few = ["--trainer.max_steps", "1", "--model.hidden_size", "8", "--data.synthetic", "true"]
        named = ["--model", "GRU", "--data", "PennTreebank", "--trainer.accelerator", "cpu"]
        assert main(["fit", *named, *few, "--trainer.limit_val_batches", "1"]) == 0
        path = next(Path("runs").glob("*/1/checkpoints/last.ckpt"))
        corpus = PennTreebank(synthetic=True)
    else:
        path, corpus = checkpoint(name), FashionMNIST(synthetic=True)
    corpus.prepare_data()
    for file in files:
        for found in corpus.folder.glob(file):
            place = tmp_path / "own" / found.relative_to(corpus.folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(found, place)
    test = ["test", "--ckpt_path", str(path), "--trainer.accelerator", "cpu"]
    options = ["--data.synthetic", "false", "--data.root", str(tmp_path / "own")]
    assert main([*test, *options, "--trainer.limit_test_batches", "2"]) == 0
    capsys.readouterr()
    assert {file.name for file in (tmp_path / "own").rglob("*.*") if "train" in file.name} == set()
