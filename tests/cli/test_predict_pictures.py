"""predict, for pictures: another ground than the corpus's, and one broken picture among many."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules import FashionMNIST
from datamodules.pictures.ground import Ground, border
from datamodules.pictures.to_predict import PictureFiles
from tests.conftest import fails
from zoo.checkpoints.checkpoint import read
from zoo.cli.main import main


def garment(path: Path, ground: int, ink: int, mode: str = "L", size: int = 56) -> None:
    picture = Image.new("L", (size, size), ground)
    picture.paste(ink, (size // 4, size // 4, 3 * size // 4, 3 * size // 4))
    picture.convert(mode).save(path)


def labelled(capsys, checkpoint, *argv) -> str:
    assert main(["predict", *map(str, argv), "--ckpt_path", str(checkpoint)]) == 0
    return capsys.readouterr().out


# Grounds


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_light_ground_is_remarked_on_where_the_model_knows_a_dark_one(checkpoint, capsys, mode):
    garment(Path("white.png"), 255, 60, mode)
    garment(Path("black.png"), 0, 200, mode)
    out = labelled(capsys, checkpoint("LeNet"), "white.png", "black.png")
    assert (
        "1 of 2 pictures have a light ground (brightness of the border 1.00), and the model was "
        "trained on a dark one (0.05), so that its labels may mean nothing: try --invert"
    ) in out
    assert len([line for line in out.splitlines() if "ground" in line]) == 1
    assert "ground" not in labelled(capsys, checkpoint("LeNet"), "black.png")
    assert "ground" not in labelled(capsys, checkpoint("LeNet"), "white.png", "--invert")
    out = labelled(capsys, checkpoint("LeNet"), "black.png", "--invert")
    assert "1 of 1 pictures have a light ground" in out


def test_a_transparent_ground_is_white(checkpoint, capsys):
    Image.new("LA", (28, 28), (200, 0)).save("clear.png")
    assert "have a light ground" in labelled(capsys, checkpoint("LeNet"), "clear.png")


def test_inverted_pictures_are_labelled_as_what_they_are_then(checkpoint, capsys):
    garment(Path("white.png"), 255, 55)
    garment(Path("black.png"), 0, 200)
    arguments = {"labels": "ab", "mean": [0.5], "std": [0.5], "size": 28}
    rows = [
        PictureFiles([name], invert=invert, **arguments).predict_dataloader()
        for name, invert in (("white.png", True), ("black.png", False))
    ]
    (one, *_), (other, *_) = (next(iter(loader)) for loader in rows)
    assert torch.equal(one, other)


def test_checkpoints_of_an_older_zoo_know_the_ground_of_garments(checkpoint, capsys):
    held = read(checkpoint("LeNet"))
    assert held["FashionMNIST"].pop("ground") == [0.05, 0.04]
    torch.save(held, "old.ckpt")
    garment(Path("white.png"), 255, 60)
    assert "have a light ground" in labelled(capsys, "old.ckpt", "white.png")
    held["FashionMNIST"]["class_path"] = "datamodules.hot_dog.HotDog"
    torch.save(held, "photographs.ckpt")
    assert "ground" not in labelled(capsys, "photographs.ckpt", "white.png")


@pytest.mark.parametrize(
    ("ground", "light", "dark"),
    [((0.05, 0.04), True, False), ((0.97, 0.02), False, True), ((0.47, 0.15), False, False)],
)
def test_photographs_have_no_ground(ground, light, dark):
    assert (Ground(*ground).differs(1.0), Ground(*ground).differs(0.0)) == (light, dark)


def test_the_border_is_a_sixteenth(tmp_path):
    images = torch.zeros(2, 3, 32, 48, dtype=torch.uint8)
    images[0, :, 2:-2, 2:-2] = 255
    images[1] = 51
    assert border(images).tolist() == pytest.approx([0, 0.2])
    corpus = FashionMNIST(synthetic=True)
    corpus.prepare_data()
    corpus.setup("fit")
    assert corpus.state_dict()["ground"] == [0.05, 0.04]


# Broken pictures


def spoilt(folder: Path) -> None:
    folder.mkdir()
    for number in range(4):
        garment(folder / f"{number}.png", 0, 50 * number + 50)
    content = (folder / "1.png").read_bytes()
    (folder / "1.png").write_bytes(content[: len(content) // 2])
    (folder / "2.png").write_text("no picture")


def test_one_broken_picture_does_not_keep_the_others_from_their_labels(checkpoint, capsys):
    spoilt(Path("some"))
    argv = ["predict", "some", "missing.png", "--ckpt_path", str(checkpoint("LeNet"))]
    assert main(argv) == 1
    said = capsys.readouterr()
    lines = said.err.splitlines()
    assert [line.partition(": ")[2].partition(":")[0] for line in lines] == [
        *("some/1.png", "some/2.png", "missing.png"),
    ]
    assert all(line.startswith("zoo: ") for line in lines)
    assert "some/0.png" in said.out
    assert "some/3.png" in said.out
    assert "some/1.png" not in said.out
    assert "written: predictions/1.png" in said.out
    shutil.rmtree("some")
    spoilt(Path("some"))
    for number in (0, 3):
        Path(f"some/{number}.png").unlink()
    assert "nor can the other 1" in fails(capsys, *argv[:2], *argv[3:])
    line = fails(capsys, "predict", "some/2.png", *argv[3:])
    assert line.endswith("some/2.png: not a picture that can be read")


def test_whole_labels_are_those_of_the_whole_pictures_alone(checkpoint, capsys):
    """What a broken picture leaves in the batch changes no other."""
    spoilt(Path("some"))
    main(["predict", "some", "--ckpt_path", str(checkpoint("LeNet"))])
    out = capsys.readouterr().out
    alone = labelled(capsys, checkpoint("LeNet"), "some/0.png", "some/3.png")
    rows = [line for line in out.splitlines() if ".png" in line and "written" not in line]
    wanted = [line for line in alone.splitlines() if ".png" in line and "written" not in line]
    assert rows == wanted


def test_painting_and_detecting_go_on_too(checkpoint, capsys):
    folder = Path("some")
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(3):
        pixels = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    (folder / "1.png").write_text("no picture")
    Image.new("RGB", (8, 8)).save(folder / "small.png")
    for name, left_out in (("FastStyle", {"1", "small"}), ("TinySSD", {"1"})):
        argv = ["predict", "some", "--ckpt_path", str(checkpoint(name)), "--output", name]
        assert main(argv) == 1
        err = capsys.readouterr().err.splitlines()
        assert len(err) == len(left_out)
        written = {path.stem for path in Path(name).glob("*.png")}
        assert written == {"0", "1", "2", "small"} - left_out
