"""Hot dogs: folder and zip, what is wrong with them, the download, the synthetic ones."""

import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from PIL import Image

from datamodules import HotDog
from datamodules.files.download import RemoteFile
from datamodules.files.errors import CorpusError
from datamodules.synthetic import hot_dogs
from tests.conftest import one_line, refused
from tests.corpora.conftest import SMALL_HOT_DOG, encoded, hot_dog, hot_dog_root, prepared, remote


def pack(root: Path, name: str) -> Path:
    """Moves the folder into a zip."""
    path = root.parent / Path(name).name
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted((root / "hotdog").rglob("*.*")):
            archive.write(file, file.relative_to(root))
    shutil.rmtree(root / "hotdog")
    (root / name).parent.mkdir(exist_ok=True)
    return path.rename(root / name)


@pytest.fixture
def root(tmp_path):
    return hot_dog_root(tmp_path / "root")


# Folder, zip, splits


@pytest.mark.parametrize("name", ["hotdog.zip", "hotdog/hotdog.zip"])
def test_a_zip_is_read_in_place_as_the_folder_is(root, name):
    before = hot_dog(root)
    path = pack(root, name)
    files = sorted(root.rglob("*"))
    after = hot_dog(root)
    for split in ("train", "val", "test"):
        for one, other in zip(before.data[split].tensors, after.data[split].tensors, strict=True):
            assert torch.equal(one, other)
    assert sorted(root.rglob("*")) == files
    path.chmod(0o444)
    assert len(hot_dog(root).data["test"]) == 8


def test_splits_labels_and_facts(root):
    made = hot_dog(root)
    assert [len(rows) for rows in made.data.values()] == [18, 2, 8]
    assert made.data["test"].tensors[1].tolist() == [0] * 4 + [1] * 4
    assert (made.in_channels, made.num_classes, made.image_size) == (3, 2, 16)
    assert made.described == (
        "Hot dog, 18 train + 2 val + 8 test rows (20 of 2,000 training rows, 8 of 800 test rows)"
    )
    images, _ = made.on_after_batch_transfer(next(iter(made.test_dataloader())), 0)
    assert images.shape == (8, 3, 16, 16)
    raw = made.data["test"].tensors[0].float() / 255
    mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (HotDog.mean, HotDog.std))
    torch.testing.assert_close(images, (raw - mean) / std, rtol=1e-4, atol=1e-4)


def test_validation_alone_knows_how_much_there_is(root):
    made = HotDog(root=root, **SMALL_HOT_DOG)
    made.setup("validate")
    assert made.described == "Hot dog, 2 val rows (20 of 2,000 training rows)"


def test_defaults_are_those_of_imagenet():
    made = HotDog()
    assert (made.size, made.crop_size, made.image_size) == (256, 224, 224)
    with pytest.raises(CorpusError, match="crop_size 224 is more than the pictures' 64"):
        HotDog(size=64)
    with pytest.raises(CorpusError, match="size must be at least 1"):
        HotDog(size=0)


def test_training_rows_are_keyed_for_augmentation(root):
    made = hot_dog(root, augment=["flip"])
    assert len(next(iter(made.train_dataloader()))) == 3
    assert len(next(iter(made.val_dataloader()))) == 2


# What is wrong


def spoil_class(root):
    shutil.rmtree(root / "hotdog/train/not-hotdog")


def spoil_empty(root):
    for path in (root / "hotdog/test/hotdog").iterdir():
        path.unlink()


def spoil_part(root):
    shutil.rmtree(root / "hotdog/train")


def spoil_extra(root):
    for name in ("pizza", "burger", "soup", "fries", "cake", "apple"):
        (root / f"hotdog/train/{name}").mkdir()
        (root / f"hotdog/train/{name}/1.jpg").write_bytes(encoded(seed=0, form="JPEG"))


def spoil_picture(root):
    (root / "hotdog/train/hotdog/3.jpg").write_bytes(b"hello" * 9)


def spoil_cut(root):
    (root / "hotdog/train/hotdog/3.jpg").write_bytes(encoded(24, 20, form="JPEG")[:-300])


def spoil_large(root):
    Image.new("1", (10_000, 10_000)).save(root / "hotdog/test/hotdog/3.png")


def spoil_zip(root):
    path = pack(root, "hotdog.zip")
    path.write_bytes(path.read_bytes()[:-40])


def spoil_member(root):
    path = pack(root, "hotdog.zip")
    content = bytearray(path.read_bytes())
    content[content.index(b"hotdog/train/hotdog/3.jpg") + 500] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoil_class, "train/not-hotdog: there are no pictures in it"),
        (spoil_empty, "test/hotdog: there are no pictures in it"),
        (spoil_part, "hotdog/train: cannot be read"),
        (spoil_extra, "folders called: apple, burger, cake, fries, pizza, soup"),
        (spoil_picture, "hotdog/3.jpg: not a picture"),
        (spoil_cut, "hotdog/3.jpg: cannot be read .*truncated"),
        (spoil_large, "3.png: 10000 x 10000 pixels are too many"),
        (spoil_zip, "hotdog.zip: cannot be read"),
        (spoil_member, "hotdog.zip!hotdog/train/hotdog/3.jpg: cannot be read .*CRC"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(root, spoil, words):
    spoil(root)
    with one_line(CorpusError, match=words):
        hot_dog(root)


def test_what_is_not_there_is_downloaded_and_read(server, root, tmp_path, monkeypatch):
    server.bodies["/file"] = pack(root, "hotdog.zip").read_bytes()
    file = remote(server, server.bodies["/file"], most=400_000_000)
    monkeypatch.setattr(
        HotDog, "files", (RemoteFile("hotdog/hotdog.zip", file.urls, sha1=file.sha1, most=10**6),)
    )
    assert len(hot_dog(tmp_path / "new").data["test"]) == 8
    hot_dog(tmp_path / "new")
    assert server.requests == 1


def test_absent_and_offline_names_the_file_and_the_ways_out(tmp_path, monkeypatch):
    (file,) = HotDog.files
    assert (file.sha1, file.most) == ("fba480ffa8aa7e0febbb511d181409f899b9baa5", 400_000_000)
    offline = RemoteFile(file.name, ("http://127.0.0.1:9/x",), sha1=file.sha1, most=9)
    monkeypatch.setattr(HotDog, "files", (offline,))
    message = refused(HotDog(root=tmp_path).prepare_data)
    for words in ("hotdog.zip", "--from", "synthetic"):
        assert words in message


# The stand-in


def test_the_stand_in_is_in_the_corpus_form_and_the_same_each_time(tmp_path):
    for name in ("one", "two"):
        hot_dogs.write(tmp_path / name / "hotdog", num_train=36, num_test=4)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.jpg"))
    assert len(files) == 40
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    sizes = {Image.open(tmp_path / "one" / file).size for file in files}
    assert len(sizes) == 4
    made = hot_dog(tmp_path / "one")
    assert made.data["test"].tensors[1].tolist() == [0, 0, 1, 1]


def test_the_stand_in_is_whole_and_even_and_not_told_by_its_colours():
    made = prepared(HotDog(synthetic=True, **SMALL_HOT_DOG))
    assert made.described == "Hot dog, synthetic stand-in, 432 train + 48 val + 120 test rows"
    colours, labels = {}, {}
    for split in ("train", "test"):
        pixels, labels[split] = made.data[split].tensors
        mean = pixels.float().mean((2, 3)) / 255
        colours[split] = torch.cat([mean, mean**2, torch.ones(len(mean), 1)], dim=1)
    assert labels["test"].bincount().tolist() == [60, 60]
    targets = labels["train"].double() * 2 - 1
    rule = torch.linalg.lstsq(colours["train"].double(), targets).solution
    right = (colours["test"].double() @ rule > 0) == labels["test"].bool()
    assert right.float().mean() < 0.7


@pytest.mark.real
def test_the_real_corpus(real_data):
    made = HotDog(root=real_data, size=64, crop_size=None)
    made.setup("fit")
    made.setup("test")
    assert [len(rows) for rows in made.data.values()] == [1260, 140, 558]
    assert made.data["test"].tensors[1].bincount().tolist() == [279, 279]
    assert made.described.endswith("(1,400 of 2,000 training rows, 558 of 800 test rows)")
