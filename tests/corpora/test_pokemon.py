"""Pokemon: folders and zips of any picture form on white; the drawn stand-in; points of a plane."""

import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from PIL import Image

from datamodules import CIFAR10, FashionMNIST, Gaussian2D, Pokemon
from datamodules.synthetic import creatures
from tests.conftest import refused
from tests.corpora.conftest import prepared


def save(folder: Path, name: str, picture: Image.Image) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    picture.save(folder / name)


@pytest.fixture
def root(tmp_path):
    """A red square, opaque in its left half alone, in the forms that the corpus has."""
    picture = Image.new("RGBA", (16, 16), (255, 0, 0, 0))
    picture.paste((255, 0, 0, 255), (0, 0, 8, 16))
    place = tmp_path / "root" / "pokemon"
    save(place, "a/1.png", picture)
    save(place, "a/2.png", picture.quantize(8, Image.Quantize.FASTOCTREE))
    save(place, "b/3.png", picture.crop((0, 0, 8, 16)))  # to be made square with white
    return tmp_path / "root"


def corpus(root, **options) -> Pokemon:
    return prepared(Pokemon(root=root, **{"size": 16, "validation_fraction": 0.0, **options}))


def images(made) -> torch.Tensor:
    batch = next(iter(made.train_dataloader()))
    seen, labels = made.on_after_batch_transfer(batch, 0)
    assert labels.tolist() == [0] * len(seen)
    return seen


def test_transparent_and_narrow_pictures_are_put_on_white(root):
    seen = images(corpus(root))
    assert seen.shape == (3, 3, 16, 16)
    red = torch.tensor([1.0, -1, -1])
    sides = seen[:, :, 8, [2, 6, 9, 13]]
    filled = sorted((side == red[:, None]).all(0).tolist() for side in sides)
    assert filled == [
        [False, True, True, False],
        [True, True, False, False],
        [True, True, False, False],
    ]


@pytest.mark.parametrize("name", ["pokemon.zip", "pokemon/pokemon.zip"])
def test_a_zip_is_read_where_it_lies(root, name):
    wanted = images(corpus(root))
    files = sorted((root / "pokemon").rglob("*.png"))
    with zipfile.ZipFile(root / "packed", "w") as archive:
        for file in files:
            archive.write(file, file.relative_to(root))
    shutil.rmtree(root / "pokemon")
    (root / name).parent.mkdir(exist_ok=True)
    (root / "packed").rename(root / name)
    assert torch.equal(images(corpus(root)), wanted)


def test_what_is_no_picture_is_told_in_one_line(root):
    shutil.rmtree(root / "pokemon" / "a")
    (root / "pokemon" / "b" / "3.png").write_text("no picture")
    assert "3.png: not a picture" in refused(corpus, root)
    (root / "pokemon" / "b" / "3.png").unlink()
    assert "pokemon: there are no pictures in it" in refused(corpus, root)
    assert "has no test rows" in refused(Pokemon(root=root).setup, "test")


def test_the_stand_in_is_drawn_of_many_creatures():
    made = Pokemon(synthetic=True, batch_size=64)
    made.prepare_data()
    made.setup("fit")
    seen = images(made)
    assert seen.shape == (64, 3, 64, 64)
    assert (seen.min() < -0.5, seen.max()) == (True, 1.0)
    assert len({image.sum().item() for image in seen}) == 64
    assert (seen[:, :, 0, 0] > 0.95).all()  # white around them
    assert creatures.draw(3, "sea").tobytes() == creatures.draw(3, "sea").tobytes()
    forms = {path.suffix for path in made.folder.rglob("*.*")}
    assert {".png", ".jpg"} <= forms
    modes = {Image.open(path).mode for path in made.folder.rglob("*.png")}
    assert modes == {"P", "RGBA"}


@pytest.mark.parametrize("kind", [FashionMNIST, CIFAR10])
def test_pictures_from_minus_one_to_one(kind):
    made = kind(synthetic=True, batch_size=64, scale="symmetric")
    made.prepare_data()
    made.setup("fit")
    pixels, labels = next(iter(made.train_dataloader()))
    seen, _ = made.on_after_batch_transfer((pixels, labels), 0)
    torch.testing.assert_close(seen, pixels / 127.5 - 1)
    torch.testing.assert_close(made.denormalise(seen), pixels / 255)
    state = made.state_dict()
    assert set(state["mean"] + state["std"]) == {0.5}
    assert kind.mean != made.mean  # the class keeps its own


def test_the_course_gaussian():
    made = Gaussian2D(num_examples=20_000)
    made.setup("fit")
    (rows,) = made.data["train"].tensors
    assert made.mean == [1, 2]
    wanted = torch.tensor([[1.01, 1.95], [1.95, 4.25]])
    torch.testing.assert_close(torch.tensor(made.covariance), wanted)
    torch.testing.assert_close(rows.T.cov(), wanted, rtol=0.05, atol=0.05)
    torch.testing.assert_close(rows.mean(0), torch.tensor([1.0, 2.0]), rtol=0.05, atol=0.05)
    assert "matrix of 2 x 2" in refused(Gaussian2D, matrix=((1.0, 2.0),))


@pytest.mark.real
def test_the_real_pictures(real_data):
    made = corpus(real_data, size=64, validation_fraction=0.1)
    assert made.described == "Pokemon, 360 train + 40 val rows (400 of 40,597 training rows)"
    assert images(made).max() == 1
