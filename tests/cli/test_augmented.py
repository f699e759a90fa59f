"""show --augmented: a grid of originals and copies, of every corpus of pictures and of recipes."""

from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import fails
from zoo.cli.main import main


@pytest.mark.parametrize(
    ("argv", "rows"),
    [
        (("CIFAR10",), 9),
        (("FashionMNIST", "--data.resize", "40"), 9),
        (("resnet_small-cifar10",), 9),
        (("lenet-fashion_mnist", "--data.augment", "[flip, mixup]"), 9),
        (("Pikachu",), 4),
        (("ssd-pikachu",), 4),
    ],
)
def test_draws_a_grid(argv, rows, capsys, tmp_path):
    path = tmp_path / "grid.png"
    options = ["--augmented", "--data.synthetic", "true", "--output", str(path)]
    assert main(["show", *argv, *options]) == 0
    assert "synthetic stand-in" in capsys.readouterr().out
    with Image.open(path) as picture:
        width, height = picture.size
        assert height / rows == pytest.approx(150, abs=2)
        cells = {picture.crop((x, 40, x + 60, 140)).tobytes() for x in range(200, width - 60, 150)}
    assert len(cells) > 3  # the copies differ


def test_the_file_is_named_after_what_it_shows(tmp_path, capsys):
    assert main(["show", "CIFAR10", "--augmented", "--data.synthetic", "true"]) == 0
    assert (tmp_path / "CIFAR10-augmented.png").is_file()
    assert "written: CIFAR10-augmented.png" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("Airfoil", "--augmented"), ["Airfoil has no pictures", "CIFAR10"]),
        (("surface-gradient_noise", "--augmented"), ["no pictures"]),
        (("CIFAR", "--augmented"), ["did you mean CIFAR10"]),
        (("CIFAR10", "--data.augment", "[flip]"), ["add --augmented"]),
        (("CIFAR10", "--output", "x.png"), ["add --augmented"]),
        (("CIFAR10", "--augmented", "--data.agument", "[flip]"), ["did you mean augment"]),
        (("CIFAR10", "--augmented", "--trainer.max_epochs", "2"), ["does not know"]),
        (("lenet-fashion_mnist", "--augmented"), ["changes no pictures", "--data.augment"]),
        (
            ("CIFAR10", "--augmented", "--data.synthetic", "true", "--output", "file/x.png"),
            ["file/x.png: cannot be written"],
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_one_line(argv, words, capsys):
    Path("file").touch()
    line = fails(capsys, "show", *argv)
    for word in words:
        assert word in line
