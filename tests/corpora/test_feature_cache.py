"""Features that are kept: the same as computed ones, and computed anew for another body."""

import io

import pytest
import torch
from torch import nn

from datamodules import HotDog
from datamodules.batches.in_memory import InMemory
from datamodules.files.errors import CorpusError
from datamodules.pictures.rows import PictureRows
from tests.conftest import quiet_trainer, refused
from tests.corpora.conftest import SMALL_HOT_DOG, encoded, hot_dog_root
from zoo.image_classification.task import ImageClassifier


@pytest.fixture
def root(tmp_path):
    return hot_dog_root(tmp_path / "root")


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
        self.asked, self.graphs = 0, False
        self.train()

    @property
    def body_is_frozen(self) -> bool:
        return not self.learns

    def features(self, images):
        self.asked += len(images)
        self.graphs |= torch.is_grad_enabled()
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


def trained(root, model=None, epochs=2, **options) -> Frozen:
    model = model or Frozen()
    quiet_trainer(max_epochs=epochs).fit(model, HotDog(root=root, **{**SMALL_HOT_DOG, **options}))
    return model


def test_a_head_learns_the_same_from_kept_features(root, cache):
    plain, kept = trained(root), trained(root, cache_features=True)
    before = Frozen().head.weight
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(kept.state_dict()[name], value, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(plain.head.weight, before, atol=1e-4)
    assert (plain.asked, kept.asked) == (2 * 20, 20)
    assert not kept.graphs
    measured = []
    for options in ({}, {"cache_features": True}):
        made = HotDog(root=root, **SMALL_HOT_DOG, **options)
        measured.append(quiet_trainer(max_epochs=2).test(plain, made, verbose=False)[0])
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
    (root / "hotdog/train/hotdog/0.jpg").write_bytes(encoded(seed=5, form="JPEG") + b"\0")
    trained(root, cache_features=True)
    assert count() == 7


def test_one_corpus_serves_one_model_after_another(root, cache):
    made = HotDog(root=root, cache_features=True, **SMALL_HOT_DOG)
    for seed in (0, 1):
        model, alone = Frozen(seed=seed), Frozen(seed=seed)
        quiet_trainer(max_epochs=1).fit(model, made)
        trained(root, alone, epochs=1)
        torch.testing.assert_close(model.head.weight, alone.head.weight, rtol=1e-5, atol=1e-5)


def test_features_are_those_of_the_checkpoints_weights(root, cache, tmp_path):
    """Lightning reads them after `setup`."""
    known = HotDog(root=root, **SMALL_HOT_DOG)
    train = quiet_trainer(max_epochs=1, default_root_dir=tmp_path)
    model = Frozen(seed=3)
    train.fit(model, known)
    train.save_checkpoint(tmp_path / "a.ckpt")
    results = []
    for options in ({}, {"cache_features": True}):
        made = HotDog(root=root, **SMALL_HOT_DOG, **options)
        results += quiet_trainer(max_epochs=2).test(
            Frozen(), made, ckpt_path=tmp_path / "a.ckpt", verbose=False
        )
    assert results[0] == pytest.approx(results[1], abs=1e-6)
    unrestored = quiet_trainer(max_epochs=2).test(
        Frozen(), HotDog(root=root, **SMALL_HOT_DOG), verbose=False
    )[0]
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
    (root / "hotdog/train/hotdog/3.jpg").write_bytes(b"hello" * 9)
    message = refused(trained, root, cache_features=True)
    assert "3.jpg: not a picture" in message
    assert "ZOO_CACHE" not in message
    assert not list(cache.glob("*.pt"))


def test_what_has_no_lasting_features_is_refused(root, cache):
    made = HotDog(root=root, cache_features=True, **SMALL_HOT_DOG)
    message = refused(quiet_trainer(max_epochs=2).fit, Frozen(learns=True), made)
    assert "--model.frozen 5" in message
    assert "--data.cache_features false" in message
    assert "NoBody has no body" in refused(quiet_trainer(max_epochs=2).fit, NoBody(), made)
    assert "test_time_flip" in refused(
        quiet_trainer(max_epochs=2).test, Frozen(test_time_flip=True), made
    )
    assert not cache.exists()
    with pytest.raises(CorpusError, match=r"--data.augment \[\]"):
        HotDog(root=root, cache_features=True, augment=["flip"], **SMALL_HOT_DOG)


def test_without_a_trainer_there_are_pictures(root):
    made = HotDog(root=root, cache_features=True, **SMALL_HOT_DOG)
    made.setup("fit")
    assert next(iter(made.train_dataloader()))[0].shape == (16, 3, 16, 16)


def test_features_go_to_the_device_and_modes_come_back(root, cache):
    model, made = Frozen(), HotDog(root=root, cache_features=True, on_device=True, **SMALL_HOT_DOG)
    quiet_trainer(max_epochs=1).fit(model, made)
    assert all(isinstance(rows, InMemory) for rows in made.data.values())
    assert made.data["train"].tensors[0].shape == (18, 8)
    assert model.head.training
    assert not model.stem.training


def test_in_mixed_precision_too(root, cache):
    results = []
    for options in ({}, {"cache_features": True}):
        model, made = Frozen(), HotDog(root=root, **SMALL_HOT_DOG, **options)
        quiet_trainer(max_epochs=2, precision="bf16-mixed").fit(model, made)
        results.append(model.head.weight)
    torch.testing.assert_close(*results, rtol=1e-3, atol=1e-3)


@pytest.mark.drawn
def test_pictures_of_the_evaluation_leave_out_what_they_cannot_show(root, cache, tmp_path):
    model = Frozen()
    for name, options in (("plain", {}), ("kept", {"cache_features": True})):
        drawn = model.pictures(tmp_path / name)
        quiet_trainer(max_epochs=1, callbacks=drawn).fit(
            model, HotDog(root=root, **SMALL_HOT_DOG, **options)
        )
        assert (tmp_path / name / "validation_confusion.png").is_file()
        shown = (tmp_path / name / "validation_predictions.png").is_file()
        assert shown == (name == "plain")
