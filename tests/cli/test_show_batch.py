"""show --batch: the first training batch of every corpus, drawn or printed."""

from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import fails
from zoo.catalogue import arguments, corpora, definitions
from zoo.cli.main import main


@pytest.mark.parametrize("name", corpora())
def test_every_corpus_has_one(name, capsys):
    known = arguments(corpora()[name], definitions())
    small = {"synthetic": "true", "batch_size": "4", "size": "32"}
    small |= {"crop_size": "32"} if "size" in known else {}
    options = [f"--data.{key}={value}" for key, value in small.items() if key in known]
    assert main(["show", name, "--batch", *options]) == 0
    printed = capsys.readouterr().out
    path = Path(f"{name}-batch.png")
    assert path.is_file() == (f"written: {path}" in printed)
    if path.is_file():
        with Image.open(path) as picture:
            assert min(picture.size) > 200
    else:
        assert "┃" in printed


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("FraEng",), ["source", "<eos>", "target_lengths"]),
        (("TimeMachine",), ["tokens", "targets"]),
        (("text_cnn-imdb",), ["lengths", "pos"]),
        (("HousePrices",), ["feature", "row 6", "and ", "target"]),
        (("Table",), ["soil=clay", "basil"]),
    ],
)
def test_rows_are_printed(argv, words, capsys):
    assert main(["show", *argv, "--batch", "--data.synthetic=true"]) == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in words)


def test_mixed_labels_are_shares(tmp_path):
    path = tmp_path / "a.png"
    options = ["--data.synthetic=true", "--data.augment=[mixup]", "--output", str(path)]
    assert main(["show", "lenet-fashion_mnist", "--batch", *options]) == 0
    assert path.is_file()


def test_what_cannot_be_shown_is_one_line(capsys):
    assert "name it by --data.path" in fails(capsys, "show", "TextFile", "--batch")
    assert "did you mean CIFAR10" in fails(capsys, "show", "CIFAR", "--batch")
    assert "add --augmented or --batch" in fails(capsys, "show", "CIFAR10", "--data.size=3")
