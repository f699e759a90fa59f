"""Fashion-MNIST: splits, batches, normalisation, and every way in which its files can be wrong."""

import gzip
import shutil
import struct
import tracemalloc

import numpy as np
import pytest
import torch

from datamodules import FashionMNIST
from datamodules.files.errors import CorpusError
from datamodules.formats.idx import write_idx
from tests.conftest import imported, one_line
from tests.corpora.conftest import prepared

RAW = "FashionMNIST/raw"


def batches(loader, corpus):
    return [corpus.on_after_batch_transfer(batch, 0) for batch in loader]


@pytest.fixture(scope="module")
def stand_in():
    return prepared(FashionMNIST(synthetic=True, batch_size=64))


@pytest.fixture
def root(tmp_path):
    """A small, right corpus under a root, to be spoilt."""
    folder = tmp_path / "root" / RAW
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for stem, count in (("train", 120), ("t10k", 30)):
        images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        write_idx(folder / f"{stem}-images-idx3-ubyte.gz", images)
        write_idx(folder / f"{stem}-labels-idx1-ubyte.gz", np.arange(count, dtype=np.uint8) % 10)
    return folder


def read(folder, split="train", **options):
    corpus = FashionMNIST(root=folder.parent.parent, **options)
    corpus.prepare_data()
    return corpus.read(split)


def test_splits_are_disjoint_and_whole(root):
    train, val = read(root).tensors[0], read(root, "val").tensors[0]
    assert (len(train), len(val)) == (110, 10)
    both = torch.cat([train, val]).flatten(1)
    everything = gzip.decompress((root / "train-images-idx3-ubyte.gz").read_bytes())[16:]
    wanted = np.frombuffer(everything, np.uint8).reshape(120, -1)
    assert sorted(both.tolist()) == sorted(wanted.tolist())


def test_split_depends_on_its_seed_alone(root, monkeypatch):
    first = read(root, "val").tensors[0]
    monkeypatch.setenv("PL_GLOBAL_SEED", "7")
    assert torch.equal(first, read(root, "val").tensors[0])
    assert not torch.equal(first, read(root, "val", split_seed=1).tensors[0])


def test_pictures_keep_their_labels(root):
    rows = read(root)
    content = gzip.decompress((root / "train-images-idx3-ubyte.gz").read_bytes())[16:]
    originals = np.frombuffer(content, np.uint8).reshape(120, 1, 28, 28).tolist()
    for image, label in zip(*rows.tensors, strict=True):
        assert originals.index(image.tolist()) % 10 == label


def test_whole_training_set_when_nothing_is_held_out(root):
    corpus = FashionMNIST(root=root.parent.parent, validation_fraction=0)
    corpus.setup("fit")
    assert len(corpus.data["train"]) == 120
    assert corpus.val_dataloader() == []


def test_batches_are_normalised_on_the_way(stand_in):
    images, labels = batches(stand_in.train_dataloader(), stand_in)[0]
    assert images.shape == (64, 1, 28, 28)
    assert images.dtype == torch.float32
    assert labels.dtype == torch.int64
    raw = next(iter(stand_in.train_dataloader()))[0]
    expected = (raw.float() / 255 - 0.2860) / 0.3530
    torch.testing.assert_close(images, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(stand_in.denormalise(images), raw / 255, rtol=1e-4, atol=1e-5)


def test_resize_changes_the_facts_and_the_pictures():
    corpus = FashionMNIST(synthetic=True, resize=32)
    assert (corpus.image_size, corpus.in_features) == (32, 1024)
    corpus.prepare_data()
    corpus.setup("test")
    assert batches(corpus.test_dataloader(), corpus)[0][0].shape[1:] == (1, 32, 32)


def test_facts_need_no_files():
    corpus = FashionMNIST(root="/nowhere")
    facts = (corpus.in_channels, corpus.num_classes, corpus.image_size, corpus.in_features)
    assert facts == (1, 10, 28, 784)
    assert corpus.labels[9] == "ankle boot"


def test_unpacked_files_are_found_too(root):
    for path in root.glob("*.gz"):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    assert len(read(root)) == 110


def test_root_comes_from_the_environment(root, monkeypatch):
    monkeypatch.setenv("ZOO_DATA", str(root.parent.parent))
    assert FashionMNIST().files_exist


def spoil_cut(root):
    path = root / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:5000])


def spoil_cut_unpacked(root):
    path = root / "train-images-idx3-ubyte.gz"
    path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes())[:-1])
    path.unlink()


def spoil_counts(root):
    write_idx(root / "train-images-idx3-ubyte.gz", np.zeros((100, 28, 28), np.uint8))
    write_idx(root / "train-labels-idx1-ubyte.gz", np.zeros(90, np.uint8))


def spoil_label(root):
    labels = np.zeros(120, np.uint8)
    labels[17] = 10
    write_idx(root / "train-labels-idx1-ubyte.gz", labels)


def spoil_shape(root):
    write_idx(root / "train-images-idx3-ubyte.gz", np.zeros((120, 32, 32), np.uint8))


def spoil_format(root):
    (root / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"hello" * 9))


def spoil_bomb(root):
    content = struct.pack(">IIII", 2051, 120, 28, 28) + bytes(1 << 26)
    (root / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(content, 1))


def spoil_true_bomb(root):
    content = struct.pack(">IIII", 2051, 1 << 10, 1 << 8, 1 << 8) + bytes(1 << 26)
    (root / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(content, 1))


def spoil_header(root):
    content = struct.pack(">IIII", 2051, 2**31, 2**31, 28)
    (root / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(content))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoil_cut, "cannot be read"),
        (spoil_cut_unpacked, "promises 94,080 bytes, 94,079 are there"),
        (spoil_counts, "has 100 pictures, train-labels-idx1-ubyte.gz has 90 labels"),
        (spoil_label, "label 10 in row 17"),
        (spoil_shape, "wanted pictures of 28 x 28"),
        (spoil_format, "not an IDX file"),
        (spoil_header, "promises"),
        (spoil_bomb, "promises 94,080 bytes, more are there"),
        (spoil_true_bomb, "promises 67,108,864 bytes, 47,040,000 at most are expected"),
    ],
)
def test_bad_files_are_named_in_one_line(root, spoil, words):
    spoil(root)
    tracemalloc.start()
    with one_line(CorpusError, match=words) as error:
        read(root)
    assert "ubyte" in str(error.value)
    assert tracemalloc.get_traced_memory()[1] < 1 << 24  # bytes, of bombs of 64 MiB
    tracemalloc.stop()


def test_absent_and_offline_names_files_and_ways_out(tmp_path, monkeypatch):
    offline = [(f"http://127.0.0.1:9/{file.name}",) for file in FashionMNIST.files]
    files = [
        type(file)(file.name, urls, file.sha256, file.size)
        for file, urls in zip(FashionMNIST.files, offline, strict=True)
    ]
    monkeypatch.setattr(FashionMNIST, "files", tuple(files))
    with pytest.raises(CorpusError) as error:
        FashionMNIST(root=tmp_path).prepare_data()
    line = str(error.value)
    assert "\n" not in line
    for name in (*(f.name.rpartition("/")[2] for f in files), "--from", "synthetic"):
        assert name in line
    assert not list(tmp_path.rglob("*ubyte*.gz"))


def test_adopts_a_folder_fetched_by_hand(root, tmp_path):
    with pytest.raises(CorpusError, match=r"sha256|size"):
        FashionMNIST(root=tmp_path / "new").adopt(root)
    with pytest.raises(CorpusError, match="holds none of"):
        FashionMNIST(root=tmp_path / "new").adopt(tmp_path)


@pytest.mark.real
def test_real_corpus_is_whole(real_data, tmp_path):
    corpus = FashionMNIST(root=real_data)
    assert corpus.files_exist
    corpus.setup("fit")
    corpus.setup("test")
    assert [len(rows) for rows in corpus.data.values()] == [55_000, 5_000, 10_000]
    pixels = corpus.data["train"].tensors[0].float() / 255
    assert pixels.mean().item() == pytest.approx(corpus.mean[0], abs=1e-3)
    assert pixels.std().item() == pytest.approx(corpus.std[0], abs=1e-3)
    assert corpus.data["test"].tensors[1].bincount().tolist() == [1000] * 10
    copied = FashionMNIST(root=tmp_path).adopt(real_data / RAW)
    assert len(copied) == 4
    assert FashionMNIST(root=tmp_path).files_exist
    shutil.rmtree(tmp_path / "FashionMNIST")


def test_short_name_imports_the_class():
    assert imported("datamodules.fashion_mnist.FashionMNIST") is FashionMNIST
    with pytest.raises(AttributeError, match="FashionMNST"):
        imported("datamodules.FashionMNST")
