"""Hot dogs: folder and zip, what is wrong with them, the download by sha1, features kept."""

import hashlib
import io
import shutil
import threading
import zipfile
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from PIL import Image
from torch import nn

from datamodules import HotDog
from datamodules.batches.in_memory import InMemory
from datamodules.files.download import RemoteFile, adopt, fetch
from datamodules.files.errors import CorpusError
from datamodules.pictures.rows import PictureRows
from datamodules.synthetic import hot_dogs
from tests.conftest import refused
from zoo.image_classification.task import ImageClassifier

SMALL = {"size": 16, "crop_size": None, "batch_size": 16}


def jpeg(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


def tree(train: int = 10, test: int = 4) -> dict[str, bytes]:
    return {
        f"hotdog/{split}/{label}/{number}.jpg": jpeg(hash((split == "test", index, number)) % 1000)
        for split, count in (("train", train), ("test", test))
        for index, label in enumerate(HotDog.labels)
        for number in range(count)
    }


@pytest.fixture
def root(tmp_path):
    """A small, right corpus as a folder, to be spoilt."""
    for name, content in tree().items():
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "root"


def pack(root: Path, name: str) -> Path:
    """Moves the folder into a zip."""
    path = root.parent / Path(name).name
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted((root / "hotdog").rglob("*.*")):
            archive.write(file, file.relative_to(root))
    shutil.rmtree(root / "hotdog")
    (root / name).parent.mkdir(exist_ok=True)
    return path.rename(root / name)


def corpus(root, **options) -> HotDog:
    made = HotDog(root=root, **{**SMALL, **options})
    made.prepare_data()
    made.setup("fit")
    made.setup("test")
    return made


# Folder, zip, splits


@pytest.mark.parametrize("name", ["hotdog.zip", "hotdog/hotdog.zip"])
def test_a_zip_is_read_in_place_as_the_folder_is(root, name):
    before = corpus(root)
    path = pack(root, name)
    files = sorted(root.rglob("*"))
    after = corpus(root)
    for split in ("train", "val", "test"):
        for one, other in zip(before.data[split].tensors, after.data[split].tensors, strict=True):
            assert torch.equal(one, other)
    assert sorted(root.rglob("*")) == files
    path.chmod(0o444)
    assert len(corpus(root).data["test"]) == 8


def test_splits_labels_and_facts(root):
    made = corpus(root)
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
    made = HotDog(root=root, **SMALL)
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
    made = corpus(root, augment=["flip"])
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
    for name in ("pizza", "burger"):
        (root / f"hotdog/train/{name}").mkdir()
        (root / f"hotdog/train/{name}/1.jpg").write_bytes(jpeg(0))


def spoil_picture(root):
    (root / "hotdog/train/hotdog/3.jpg").write_bytes(b"hello" * 9)


def spoil_cut(root):
    (root / "hotdog/train/hotdog/3.jpg").write_bytes(jpeg(0)[:-300])


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
        (spoil_extra, "folders called: burger, pizza"),
        (spoil_picture, "hotdog/3.jpg: not a picture"),
        (spoil_cut, "hotdog/3.jpg: cannot be read .*truncated"),
        (spoil_large, "3.png: 10000 x 10000 pixels are too many"),
        (spoil_zip, "hotdog.zip: cannot be read"),
        (spoil_member, "hotdog.zip!hotdog/train/hotdog/3.jpg: cannot be read .*CRC"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(root, spoil, words):
    spoil(root)
    with pytest.raises(CorpusError, match=words) as error:
        corpus(root)
    assert "\n" not in str(error.value)


# Download


@pytest.fixture
def server(monkeypatch):
    """Serves one body as /file; `requests` counts."""
    monkeypatch.setenv("NO_PROXY", "*")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.requests += 1
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.server.body)))
            self.end_headers()
            with suppress(ConnectionError):
                self.wfile.write(self.server.body)

        def log_message(self, *_):
            pass

    served = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.requests, served.body = 0, b""
    threading.Thread(target=served.serve_forever, args=(0.02,), daemon=True).start()
    yield served
    served.shutdown()
    served.server_close()


def remote(server, content: bytes, **known) -> RemoteFile:
    url = f"http://127.0.0.1:{server.server_port}/file"
    return RemoteFile("a/b.zip", (url,), sha1=hashlib.sha1(content).hexdigest(), **known)


def test_a_sha1_binds_where_no_sha256_is_published(server, tmp_path):
    content = b"rows" * 1000
    file = remote(server, content, most=10_000)
    server.body = content[:-1] + b"?"
    message = refused(fetch, file, tmp_path)
    assert f"not {file.sha1}" in message
    assert "the sha1" in message
    assert not (tmp_path / "a/b.zip").exists()
    server.body = content
    assert fetch(file, tmp_path).read_bytes() == content
    fetch(file, tmp_path)
    assert server.requests == 2


def test_a_bound_stops_a_mirror_that_sends_more(server, tmp_path):
    server.body = bytes(10_001)
    message = refused(fetch, remote(server, server.body, most=10_000), tmp_path)
    assert "more than 10,000 bytes" in message
    assert fetch(remote(server, server.body, most=10_001), tmp_path).is_file()


def test_adopts_by_sha1(server, tmp_path):
    source = tmp_path / "b.zip"
    source.write_bytes(b"rows")
    file = remote(server, b"rows", size=4)
    assert adopt(file, source, tmp_path / "root").read_bytes() == b"rows"
    source.write_bytes(b"sour")
    message = refused(adopt, file, source, tmp_path / "other")
    assert f"its sha1 is {hashlib.sha1(b'sour').hexdigest()}, not {file.sha1}" in message


@pytest.mark.parametrize(
    "known",
    [
        {"size": 1},
        {"sha256": "a", "sha1": "b", "size": 1},
        {"sha1": "b"},
        {"sha1": "b", "size": 1, "most": 2},
    ],
)
def test_one_digest_and_one_number_of_bytes(known):
    with pytest.raises(ValueError, match="a: wanted"):
        RemoteFile("a", (), **known)


def test_what_is_not_there_is_downloaded_and_read(server, root, tmp_path, monkeypatch):
    server.body = pack(root, "hotdog.zip").read_bytes()
    file = remote(server, server.body, most=400_000_000)
    monkeypatch.setattr(
        HotDog, "files", (RemoteFile("hotdog/hotdog.zip", file.urls, sha1=file.sha1, most=10**6),)
    )
    assert len(corpus(tmp_path / "new").data["test"]) == 8
    corpus(tmp_path / "new")
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
    made = corpus(tmp_path / "one")
    assert made.data["test"].tensors[1].tolist() == [0, 0, 1, 1]


def test_the_stand_in_is_whole_and_even_and_not_told_by_its_colours():
    made = HotDog(synthetic=True, **SMALL)
    made.prepare_data()
    made.setup("fit")
    made.setup("test")
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


# Features that are kept


class Frozen(ImageClassifier):
    """A frozen body and a head, as small as they can be; counts what the body is asked for."""

    def __init__(self, num_classes: int = 2, seed: int = 0, learns: bool = False, **task):
        super().__init__(**task)
        generator = torch.Generator().manual_seed(seed)
        self.stem = nn.Sequential(
            *(nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU()),
            *(nn.Dropout(0.5), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        )
        self.head = nn.Linear(8, num_classes)
        for weight in (self.stem[0].weight, self.head.weight):
            nn.init.normal_(weight, std=0.3, generator=generator)
        for bias in (self.stem[0].bias, self.head.bias):
            nn.init.zeros_(bias)
        self.stem.requires_grad_(False)
        self.learns = learns
        self.asked = 0
        self.train()

    @property
    def body_is_frozen(self) -> bool:
        return not self.learns

    def features(self, images):
        self.asked += len(images)
        return self.stem(images)

    def forward(self, images):
        return self.head(images if images.ndim == 2 else self.features(images))

    def train(self, mode=True):
        super().train(mode)
        self.stem.eval()
        return self


class NoBody(ImageClassifier):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(3, 2)

    def forward(self, images):
        return self.head(images.mean((2, 3)))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "features"


def trainer(epochs=2, **options):
    options = {"logger": False, "enable_checkpointing": False, "max_epochs": epochs, **options}
    silent = {"enable_progress_bar": False, "enable_model_summary": False}
    return Trainer(accelerator="cpu", **silent, **options)


def trained(root, model=None, epochs=2, **options) -> Frozen:
    model = model or Frozen()
    trainer(epochs).fit(model, HotDog(root=root, **{**SMALL, **options}))
    return model


def test_a_head_learns_the_same_from_kept_features(root, cache):
    plain, kept = trained(root), trained(root, cache_features=True)
    before = Frozen().head.weight
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(kept.state_dict()[name], value, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(plain.head.weight, before, atol=1e-4)
    assert (plain.asked, kept.asked) == (2 * 20 + 2, 20)
    measured = []
    for options in ({}, {"cache_features": True}):
        made = HotDog(root=root, **SMALL, **options)
        measured.append(trainer().test(plain, made, verbose=False)[0])
    assert measured[0] == pytest.approx(measured[1], abs=1e-6)


def test_the_second_run_asks_the_body_nothing_and_opens_no_picture(root, cache, monkeypatch):
    trained(root, cache_features=True)

    def never(*_):
        raise AssertionError("the features are known")

    monkeypatch.setattr(Frozen, "features", never)
    monkeypatch.setattr(PictureRows, "_decoded", never)
    files = list(cache.glob("*.pt"))
    assert len(files) == 1
    again = trained(root, cache_features=True)
    trained(root, again, validation_fraction=0, cache_features=True)
    trained(root, again, fold=2, num_folds=4, cache_features=True)
    trained(root, Frozen(seed=0), batch_size=3, cache_features=True)
    assert list(cache.glob("*.pt")) == files


def test_another_body_picture_or_size_has_other_features(root, cache):
    def count():
        return len(list(cache.glob("*.pt")))

    trained(root, cache_features=True)
    trained(root, Frozen(seed=1), cache_features=True)
    assert count() == 2
    other = Frozen()
    other.stem[1].running_mean += 1
    trained(root, other, cache_features=True)
    assert count() == 3
    headless = Frozen()
    nn.init.zeros_(headless.head.weight)
    trained(root, headless, cache_features=True)
    assert count() == 3
    for number, options in enumerate(({"size": 15}, {"crop_size": 12}, {"resize": 20}), start=4):
        trained(root, cache_features=True, **options)
        assert count() == number
    (root / "hotdog/train/hotdog/0.jpg").write_bytes(jpeg(5) + b"\0")
    trained(root, cache_features=True)
    assert count() == 7


def test_one_corpus_serves_one_model_after_another(root, cache):
    made = HotDog(root=root, cache_features=True, **SMALL)
    for seed in (0, 1):
        model, alone = Frozen(seed=seed), Frozen(seed=seed)
        trainer(1).fit(model, made)
        trained(root, alone, epochs=1)
        torch.testing.assert_close(model.head.weight, alone.head.weight, rtol=1e-5, atol=1e-5)


def test_features_are_those_of_the_checkpoints_weights(root, cache, tmp_path):
    """Lightning reads them after `setup`."""
    known = HotDog(root=root, **SMALL)
    train = trainer(1, default_root_dir=tmp_path)
    model = Frozen(seed=3)
    train.fit(model, known)
    train.save_checkpoint(tmp_path / "a.ckpt")
    results = []
    for options in ({}, {"cache_features": True}):
        made = HotDog(root=root, **SMALL, **options)
        results += trainer().test(Frozen(), made, ckpt_path=tmp_path / "a.ckpt", verbose=False)
    assert results[0] == pytest.approx(results[1], abs=1e-6)
    unrestored = trainer().test(Frozen(), HotDog(root=root, **SMALL), verbose=False)[0]
    assert results[0]["test/loss"] != pytest.approx(unrestored["test/loss"], abs=1e-4)


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "other"])
def test_a_damaged_cache_is_computed_again(root, cache, damage):
    first = trained(root, cache_features=True)
    (path,) = cache.glob("*.pt")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    other = io.BytesIO()
    torch.save(torch.zeros(3, 8), other)
    wrong = {"cut": content[:90], "flipped": content, "emptied": b"", "other": other.getvalue()}
    path.write_bytes(wrong[damage])
    again = trained(root, cache_features=True)
    assert again.asked == 20
    assert torch.equal(first.head.weight, again.head.weight)
    assert trained(root, cache_features=True).asked == 0


def test_an_unwritable_cache_is_named(root, cache):
    cache.parent.write_bytes(b"a file where the folder should be")
    message = refused(trained, root, cache_features=True)
    assert str(cache) in message
    assert "set ZOO_CACHE" in message


def test_a_bad_picture_is_not_taken_for_an_unwritable_cache(root, cache):
    spoil_picture(root)
    message = refused(trained, root, cache_features=True)
    assert "3.jpg: not a picture" in message
    assert "ZOO_CACHE" not in message
    assert not list(cache.glob("*.pt"))


def test_what_has_no_lasting_features_is_refused(root, cache):
    made = HotDog(root=root, cache_features=True, **SMALL)
    message = refused(trainer().fit, Frozen(learns=True), made)
    assert "--model.frozen 5" in message
    assert "--data.cache_features false" in message
    assert "NoBody has no body" in refused(trainer().fit, NoBody(), made)
    assert "test_time_flip" in refused(trainer().test, Frozen(test_time_flip=True), made)
    assert not cache.exists()
    with pytest.raises(CorpusError, match=r"--data.augment \[\]"):
        HotDog(root=root, cache_features=True, augment=["flip"], **SMALL)


def test_without_a_trainer_there_are_pictures(root):
    made = HotDog(root=root, cache_features=True, **SMALL)
    made.setup("fit")
    assert next(iter(made.train_dataloader()))[0].shape == (16, 3, 16, 16)


def test_features_go_to_the_device_and_modes_come_back(root, cache):
    model, made = Frozen(), HotDog(root=root, cache_features=True, on_device=True, **SMALL)
    trainer(1).fit(model, made)
    assert all(isinstance(rows, InMemory) for rows in made.data.values())
    assert made.data["train"].tensors[0].shape == (18, 8)
    assert model.head.training
    assert not model.stem.training


def test_in_mixed_precision_too(root, cache):
    results = []
    for options in ({}, {"cache_features": True}):
        model, made = Frozen(), HotDog(root=root, **SMALL, **options)
        trainer(2, precision="bf16-mixed").fit(model, made)
        results.append(model.head.weight)
    torch.testing.assert_close(*results, rtol=1e-3, atol=1e-3)


@pytest.mark.drawn
def test_pictures_of_the_evaluation_leave_out_what_they_cannot_show(root, cache, tmp_path):
    model = Frozen()
    for name, options in (("plain", {}), ("kept", {"cache_features": True})):
        drawn = model.pictures(tmp_path / name)
        trainer(1, callbacks=drawn).fit(model, HotDog(root=root, **SMALL, **options))
        assert (tmp_path / name / "validation_confusion.png").is_file()
        shown = (tmp_path / name / "validation_predictions.png").is_file()
        assert shown == (name == "plain")


@pytest.mark.real
def test_the_real_corpus(real_data):
    made = HotDog(root=real_data, size=64, crop_size=None)
    made.setup("fit")
    made.setup("test")
    assert [len(rows) for rows in made.data.values()] == [1260, 140, 558]
    assert made.data["test"].tensors[1].bincount().tolist() == [279, 279]
    assert made.described.endswith("(1,400 of 2,000 training rows, 558 of 800 test rows)")
