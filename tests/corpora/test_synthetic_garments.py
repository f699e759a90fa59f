"""The drawn garments: one seed, one set of bytes; Fashion-MNIST's format; whole or not there."""

import gzip
import multiprocessing
import struct
from pathlib import Path

import numpy as np
import pytest

from datamodules.files.errors import CorpusError
from datamodules.formats.idx import write_idx
from datamodules.synthetic.garments import draw, write
from tests.corpora.conftest import contents

FILES = {
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
}


def parse(path: Path) -> np.ndarray:
    """Reads MNIST's description of the format, not our writer."""
    data = gzip.decompress(path.read_bytes())
    magic, count = struct.unpack(">II", data[:8])
    if magic == 2049:
        assert len(data) == 8 + count
        return np.frombuffer(data, np.uint8, offset=8)
    assert magic == 2051
    height, width = struct.unpack(">II", data[8:16])
    assert len(data) == 16 + count * height * width
    return np.frombuffer(data, np.uint8, offset=16).reshape(count, height, width)


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    return (np.arange(1000) % 10).astype(np.uint8)


@pytest.fixture(scope="module")
def pictures(labels: np.ndarray) -> np.ndarray:
    return draw(labels, seed=0)


def test_same_seed_same_bytes(tmp_path):
    for name, seed in (("one", 0), ("two", 0), ("other", 1)):
        write(tmp_path / name, num_train=40, num_test=20, seed=seed)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert contents(tmp_path / "one") != contents(tmp_path / "other")


def test_files_are_fashion_mnists(tmp_path):
    write(tmp_path / "raw", num_train=200, num_test=50)
    assert {path.name for path in (tmp_path / "raw").iterdir()} == FILES
    for split, count in (("train", 200), ("t10k", 50)):
        images = parse(tmp_path / "raw" / f"{split}-images-idx3-ubyte.gz")
        labels = parse(tmp_path / "raw" / f"{split}-labels-idx1-ubyte.gz")
        assert images.shape == (count, 28, 28)
        assert np.bincount(labels).tolist() == [count // 10] * 10
        assert (np.diff(labels.astype(int)) != 1).any(), "not shuffled"


def test_training_and_test_pictures_differ(tmp_path):
    write(tmp_path / "raw", num_train=50, num_test=50)
    train, test = (
        parse(tmp_path / "raw" / f"{split}-images-idx3-ubyte.gz") for split in ("train", "t10k")
    )
    assert not {image.tobytes() for image in train} & {image.tobytes() for image in test}


def test_test_pictures_do_not_depend_on_num_train(tmp_path):
    for name, num_train in (("few", 10), ("more", 30)):
        write(tmp_path / name, num_train=num_train, num_test=20)
    few, more = contents(tmp_path / "few"), contents(tmp_path / "more")
    assert [few[name] == more[name] for name in sorted(FILES)] == [True, True, False, False]


def test_picture_depends_on_its_own_place_only(labels, pictures):
    assert np.array_equal(draw(labels[:25], seed=0), pictures[:25])
    others = labels[:25].copy()
    others[:24] = 8
    assert np.array_equal(draw(others, seed=0)[24], pictures[24])


def test_no_picture_is_empty_or_saturated(pictures):
    assert pictures.dtype == np.uint8
    assert pictures.shape == (1000, 28, 28)
    covered = (pictures > 25).mean(axis=(1, 2))
    assert covered.min() > 0.03
    assert covered.max() < 0.85
    assert (pictures == 255).mean(axis=(1, 2)).max() < 0.5
    assert (pictures.max(axis=(1, 2)) > 60).all()
    assert len({picture.tobytes() for picture in pictures}) == 1000


def test_background_is_black(pictures):
    assert np.median(pictures[:, [0, 0, -1, -1], [0, -1, 0, -1]]) == 0


def test_classes_differ(labels, pictures):
    means = np.stack([pictures[labels == label].mean(axis=0) for label in range(10)])
    distances = np.abs(means[:, None] - means[None]).mean(axis=(2, 3))
    assert distances[~np.eye(10, dtype=bool)].min() > 3


def test_nearest_mean_is_neither_hopeless_nor_enough(labels, pictures):
    """A class can be learnt, and its mean is not all there is to learn."""
    flat = pictures.reshape(1000, -1).astype(float)
    means = np.stack([flat[:500][labels[:500] == label].mean(axis=0) for label in range(10)])
    nearest = ((flat[500:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    assert 0.4 < (nearest == labels[500:]).mean() < 0.85


def test_concurrent_writers_leave_one_whole_folder(tmp_path):
    folder = tmp_path / "deep" / "raw"
    context = multiprocessing.get_context("spawn")
    counts = {"num_train": 100, "num_test": 50}
    writers = [context.Process(target=write, args=(folder,), kwargs=counts) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0]
    write(tmp_path / "alone", **counts)
    assert contents(folder) == contents(tmp_path / "alone")
    assert not (tmp_path / "deep" / ".raw.part").exists()


def test_killed_write_is_swept(tmp_path):
    stale = tmp_path / ".raw.part"
    stale.mkdir()
    (stale / "train-images-idx3-ubyte.gz").write_bytes(b"half")
    (stale / "t10k-labels-idx1-ubyte.gz").write_bytes(b"old")
    write(tmp_path / "raw", num_train=10, num_test=10)
    assert not stale.exists()
    assert set(contents(tmp_path / "raw")) == FILES
    assert parse(tmp_path / "raw" / "t10k-labels-idx1-ubyte.gz").shape == (10,)


def test_failed_write_leaves_no_folder(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("datamodules.synthetic.garments.write_idx", full)
    with pytest.raises(CorpusError, match="No space"):
        write(tmp_path / "raw", num_train=10, num_test=10)
    assert not (tmp_path / "raw").exists()
    monkeypatch.undo()
    write(tmp_path / "raw", num_train=10, num_test=10)
    assert set(contents(tmp_path / "raw")) == FILES


def test_existing_folder_is_left_alone(tmp_path):
    (tmp_path / "raw").mkdir()
    write(tmp_path / "raw")
    assert list((tmp_path / "raw").iterdir()) == []


@pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 3, 4), (0, 28, 28)])
def test_idx_of_any_rank(tmp_path, shape):
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    write_idx(tmp_path / "array.gz", array)
    data = gzip.decompress((tmp_path / "array.gz").read_bytes())
    assert data[:4] == bytes([0, 0, 8, len(shape)])
    assert struct.unpack(f">{len(shape)}I", data[4 : 4 + 4 * len(shape)]) == shape
    assert data[4 + 4 * len(shape) :] == array.tobytes()
    assert [path.name for path in tmp_path.iterdir()] == ["array.gz"]


def test_idx_refuses_other_types(tmp_path):
    with pytest.raises(TypeError, match=r"array\.gz.*int64"):
        write_idx(tmp_path / "array.gz", np.zeros(3, dtype=np.int64))
    assert list(tmp_path.iterdir()) == []
