"""Dog breeds: labels.csv and what is wrong in it, the division by breed, the stand-in, Kaggle."""

import io
import shutil
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from datamodules import Dogs
from datamodules.batches.stratified import hold_out, hold_out_fold
from datamodules.dogs import BREEDS
from datamodules.files.errors import CorpusError
from datamodules.synthetic import dogs
from tests.conftest import one_line, refused
from tests.corpora.conftest import encoded, prepared

SMALL = {"size": 8, "crop_size": None, "batch_size": 16}
NAME = "dog-breed-identification"
COUNTS = {"affenpinscher": 8, "pug": 4, "whippet": 1, "yorkshire_terrier": 7}


@pytest.fixture
def folder(tmp_path):
    """A small, right corpus, to be spoilt."""
    place = tmp_path / "root" / NAME
    rows = [breed for breed, count in COUNTS.items() for _ in range(count)]
    for split, count in (("train", len(rows)), ("test", 3)):
        (place / split).mkdir(parents=True)
        for number in range(count):
            (place / split / f"{split}{number:04}.jpg").write_bytes(encoded(12, 9, number, "JPEG"))
    write(place, *(f"train{number:04},{breed}" for number, breed in enumerate(rows)))
    return place


def write(folder: Path, *rows: str) -> None:
    (folder / "labels.csv").write_text("\n".join(("id,breed", *rows)) + "\n")


def lines(folder: Path) -> list[str]:
    return (folder / "labels.csv").read_text().splitlines()[1:]


def corpus(folder: Path, **options) -> Dogs:
    return prepared(Dogs(root=folder.parent, **{**SMALL, **options}), "fit")


def breeds(made: Dogs, split: str) -> Counter:
    return Counter(BREEDS[index] for index in made.data[split].tensors[1].tolist())


# Names, files, rows


def test_the_breeds_are_those_of_kaggle_in_its_order():
    assert len(set(BREEDS)) == 120
    assert sorted(BREEDS) == list(BREEDS)
    assert (BREEDS[0], BREEDS[12], BREEDS[-1]) == (
        *("affenpinscher", "black-and-tan_coonhound", "yorkshire_terrier"),
    )
    made = Dogs()
    assert (made.num_classes, made.image_size, made.submission) == (120, 224, "probabilities")


def test_a_subset_of_the_breeds_has_the_same_classes(folder):
    made = corpus(folder, validation_fraction=0)
    assert breeds(made, "train") == COUNTS
    assert made.val_dataloader() == []
    rows = made.data["train"]
    wanted = torch.stack([_pixels(encoded(12, 9, number, "JPEG")) for number in range(20)])
    assert (rows.tensors[0].int() - wanted.int()).abs().max() <= 1  # Pillow rounds otherwise


def _pixels(content: bytes) -> torch.Tensor:
    middle = Image.open(io.BytesIO(content)).crop((1, 0, 10, 9)).resize((8, 8), 2)
    return torch.from_numpy(np.array(middle)).movedim(-1, 0)


@pytest.mark.parametrize("name", [f"{NAME}.zip", f"{NAME}/{NAME}.zip"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_kaggles_zip_is_read_in_place(folder, name, wrapped):
    before, root = corpus(folder), folder.parent
    packed = root.parent / "packed.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(folder.rglob("*.*")):
            archive.write(path, path.relative_to(root if wrapped else folder))
    shutil.rmtree(folder)
    (root / name).parent.mkdir(exist_ok=True)
    packed.rename(root / name)
    after = corpus(folder)
    for split in ("train", "val"):
        for one, other in zip(before.data[split].tensors, after.data[split].tensors, strict=True):
            assert torch.equal(one, other)
    assert [path.is_file() for path in sorted(root.rglob("*"))].count(True) == 1
    (unlabelled,) = after.files_to_predict()
    assert str(unlabelled).startswith(f"{root / name}!")
    write_line = refused(Dogs(root=root.parent / "none").prepare_data)
    assert "kaggle competitions download" in write_line


def test_pictures_without_a_label_are_left_out_and_counted(folder):
    assert corpus(folder).described == (
        "Dog breeds, 18 train + 2 val rows (20 of 10,222 training rows)"
    )
    write(folder, *lines(folder)[:-3])
    made = corpus(folder)
    assert len(made.data["train"]) + len(made.data["val"]) == 17
    assert made.described.endswith(
        "(17 of 10,222 training rows); 3 pictures of train have no label"
    )


def test_pictures_to_predict(folder):
    assert Dogs(root=folder.parent).files_to_predict() == [folder / "test"]
    with pytest.raises(CorpusError, match="no test rows with their answers"):
        Dogs(root=folder.parent).setup("test")


def test_kaggle_wants_a_login_and_the_error_says_what_to_do(tmp_path):
    message = refused(Dogs(root=tmp_path).prepare_data)
    for words in (
        *("kaggle competitions download -c dog-breed-identification", "train/<id>.jpg"),
        *("labels.csv", "--data.synthetic true", str(tmp_path)),
    ):
        assert words in message
    assert "no digest" in refused(Dogs(root=tmp_path).adopt, tmp_path / "a.zip")
    assert not list(tmp_path.iterdir())


# What is wrong


def spoilt(*rows: str, start: int = 20):
    def spoil(folder):
        write(folder, *lines(folder)[:start], *rows)

    return spoil


def raw(content: bytes):
    def spoil(folder):
        (folder / "labels.csv").write_bytes(content)

    return spoil


def spoil_absent(folder):
    (folder / "labels.csv").unlink()


def spoil_folder(folder):
    shutil.rmtree(folder / "train")


def spoil_picture(folder):
    (folder / "train" / "train0003.jpg").write_bytes(encoded(12, 9, 3, "JPEG")[:-100])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            spoilt("train0099,pug"),
            r"labels.csv, line 22: there is no picture of the id 'train0099'",
        ),
        (spoilt("train0000,pug"), "line 22: 'train0000' is in line 2 already"),
        (spoilt("train0005,pugg", start=5), r"line 7: no breed is called 'pugg' .*mean pug\?"),
        (spoilt("train0005,", start=5), "line 7: no breed is called ''"),
        (spoilt("../test/test0000,pug"), "line 22: '../test/test0000' is not the name"),
        (spoilt("a\\b,pug"), "line 22: .* is not the name"),
        (spoilt("..,pug"), "line 22: '..' is not the name"),
        (spoilt(",pug"), "line 22: '' is not the name"),
        (spoilt("/etc/passwd,pug"), "line 22: .* is not the name"),
        (spoilt("train0000"), "labels.csv, line 22: not 2 cells but 1"),
        (spoilt("train0000,pug,3"), "line 22: not 2 cells but 3"),
        (raw(b"id,kind\ntrain0000,pug\n"), "labels.csv: the column breed is missing"),
        (raw(b""), "labels.csv: empty"),
        (raw(b"id,breed\n"), "labels.csv: empty"),
        (raw(b"id,breed\ntrain0000,pug\ntrain0001,p\xffg\n"), "labels.csv, line 3: not UTF-8"),
        (raw(b"id,breed\ntrain0000,pug\0\n"), "line 2: not text"),
        (spoil_absent, "labels.csv: cannot be read"),
        (spoil_folder, "train: cannot be read"),
        (spoil_picture, "train0003.jpg: cannot be read .*truncated"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(folder, spoil, words):
    spoil(folder)
    with one_line(CorpusError, match=words):
        corpus(folder)


def test_a_mark_at_the_start_and_windows_lines_are_read(folder):
    text = (folder / "labels.csv").read_text().replace("\n", "\r\n")
    (folder / "labels.csv").write_text("\ufeff" + text, newline="")
    assert len(corpus(folder).data["train"]) == 18


# The division


def test_each_breed_keeps_its_share(folder):
    made = corpus(folder, validation_fraction=0.25)
    assert breeds(made, "val") == {"affenpinscher": 2, "pug": 1, "yorkshire_terrier": 2}
    whole = torch.cat([made.data[split].tensors[0] for split in ("train", "val")]).flatten(1)
    assert len(whole.unique(dim=0)) == 20


def test_the_division_depends_on_its_seed_alone(folder, monkeypatch):
    def held_out(**options):
        return corpus(folder, validation_fraction=0.25, **options).data["val"].tensors[0]

    first = held_out()
    monkeypatch.setenv("PL_GLOBAL_SEED", "5")
    assert torch.equal(first, held_out())
    assert not torch.equal(first, held_out(split_seed=1))
    in_order = held_out(split_seed=None)
    for row, number in ((0, 0), (2, 8)):
        wanted = _pixels(encoded(12, 9, number, "JPEG"))
        assert (in_order[row].int() - wanted.int()).abs().max() <= 1


def test_folds_hold_out_every_picture_once(folder):
    seen = []
    for fold in (1, 2, 3):
        made = corpus(folder, fold=fold, num_folds=3)
        counts = breeds(made, "val")
        for breed, count in COUNTS.items():
            assert count // 3 <= counts[breed] <= -(-count // 3)
        seen.append(made.data["val"].tensors[0].flatten(1))
        assert len(made.data["train"]) + len(seen[-1]) == 20
    assert [len(rows) for rows in seen] == [7, 7, 6]
    assert len(torch.cat(seen).unique(dim=0)) == 20
    assert "choose at most" in refused(corpus, folder, fold=1, num_folds=21)


classes = st.lists(st.integers(0, 6), min_size=1, max_size=60).map(torch.tensor)
seeds = st.none() | st.integers(-(2**40), 2**70)


@given(classes, st.floats(0, 0.99), seeds)
def test_held_out_rows_are_as_many_as_asked_and_every_class_is_trained_on(classes, fraction, seed):
    held_out = hold_out(classes, fraction, seed)
    counts = classes.bincount()
    spare = int((counts - 1).clamp(min=0).sum())
    assert held_out.sum() == min(round(fraction * len(classes)), spare)
    kept = classes[~held_out].bincount(minlength=len(counts))
    assert (kept > 0).equal(counts > 0)
    if round(fraction * len(classes)) <= spare and counts[counts > 0].min() > 1 / (1 - fraction):
        taken = classes[held_out].bincount(minlength=len(counts))
        assert ((taken - fraction * counts).abs() < 1 + 1e-9).all()
    assert held_out.equal(hold_out(classes, fraction, seed))


@given(classes, st.integers(2, 7), seeds)
def test_folds_are_even_in_all_and_in_each_class(classes, num_folds, seed):
    folds = [hold_out_fold(classes, fold, num_folds, seed) for fold in range(1, num_folds + 1)]
    assert (torch.stack(folds).sum(0) == 1).all()
    sizes = [int(fold.sum()) for fold in folds]
    assert max(sizes) - min(sizes) <= 1
    for label in classes.unique():
        shares = [int(fold[classes == label].sum()) for fold in folds]
        assert max(shares) - min(shares) <= 1


# The stand-in


@pytest.fixture(scope="module")
def stand_in():
    return prepared(Dogs(synthetic=True, **SMALL), "fit")


def test_the_stand_in_has_every_breed(stand_in):
    assert stand_in.described == "Dog breeds, synthetic stand-in, 270 train + 30 val rows"
    counts = breeds(stand_in, "train") + breeds(stand_in, "val")
    assert set(counts) == set(BREEDS)
    assert set(counts.values()) == {2, 3}
    assert set(breeds(stand_in, "train")) == set(BREEDS)
    labels = lines(next(stand_in.folder.rglob("labels.csv")).parent)
    assert labels == sorted(labels)
    (unlabelled,) = stand_in.files_to_predict()
    names = [path.stem for path in unlabelled.iterdir()]
    assert len(names) == 24
    assert all(len(name) == 32 and int(name, 16) for name in names)


def test_the_stand_in_is_the_same_each_time(tmp_path):
    for name in ("one", "two"):
        dogs.write(tmp_path / name, BREEDS, num_train=12, num_test=3)
    files = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*")]
    assert len(files) == 16
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    assert len({Image.open(tmp_path / "one" / f).size for f in files if f.suffix == ".jpg"}) > 2


def test_no_two_breeds_look_alike():
    looks = {dogs.breed(number)[:3] for number in range(120)}
    assert len(looks) == 120


@pytest.mark.real
def test_the_real_corpus(real_data):
    made = Dogs(root=real_data, size=32, crop_size=None)
    made.prepare_data()
    made.setup("fit")
    assert [len(rows) for rows in made.data.values()] == [270, 30]
    counts = breeds(made, "train") + breeds(made, "val")
    assert len(counts) == len(breeds(made, "train")) == 110
    assert max(breeds(made, "val").values()) == 1
    listed = (real_data / NAME / "labels.csv").read_text().splitlines()[1:]
    assert counts == Counter(line.partition(",")[2] for line in listed)
    assert made.described.endswith("(300 of 10,222 training rows)")
    assert len(list(made.files_to_predict()[0].iterdir())) == 60
