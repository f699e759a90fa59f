"""Augmentation: keyed by picture and epoch, uniform, and against torchvision picture by picture."""

from inspect import signature

import pytest
import torch
from torch.nn.functional import pad
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from datamodules.cifar10 import CIFAR10
from datamodules.files.errors import CorpusError
from datamodules.pictures.augmentation import CHANGES, Augmentation
from datamodules.pictures.changes import (
    color_jitter,
    crop,
    cutmix,
    cutout,
    flip,
    mixup,
    rand_augment,
    rand_augment_changes,
    resized_crop,
    uniform,
    vertical_flip,
)
from datamodules.style_pictures import StylePictures
from tests.conftest import fails, quiet_trainer
from tests.corpora.conftest import keys, named, photographs
from zoo.image_classification.softmax_regression import SoftmaxRegression

EVERY = [
    *("flip", "vertical_flip", "crop", "resized_crop", "rand_augment", "cutout"),
    {"color_jitter": {"brightness": 0.5, "contrast": 0.5, "saturation": 0.5, "hue": 0.5}},
]


def test_numbers_are_uniform_and_independent_between_streams_epochs_and_rows():
    streams = [uniform(keys(100_000, epoch), stream) for epoch in (0, 1) for stream in (0, 1, 63)]
    for numbers in streams:
        assert numbers.min() >= 0
        assert numbers.max() < 1
        counts = torch.histc(numbers, bins=10, min=0, max=1)
        assert ((counts - 10_000).abs() < 500).all()
        lagged = torch.corrcoef(torch.stack([numbers[1:], numbers[:-1]]))[0, 1]
        assert lagged.abs() < 0.015
    across = torch.corrcoef(torch.stack(streams)) - torch.eye(6)
    assert across.abs().max() < 0.015


@pytest.mark.parametrize("entry", EVERY, ids=named)
def test_a_picture_is_changed_by_its_own_key_alone(entry):
    images = photographs(32)
    change = Augmentation([entry], size=16).change
    before = images.clone()
    whole = change(images, keys(32))
    assert whole.dtype == torch.uint8
    assert whole.shape == images.shape
    torch.testing.assert_close(images, before, rtol=0, atol=0)
    torch.testing.assert_close(change(images[5:9], keys(32)[5:9]), whole[5:9], rtol=0, atol=0)
    assert not torch.equal(change(images, keys(32, epoch=1)), whole)
    changed = (whole != images).flatten(1).any(1).float().mean()
    assert changed > 0.4


def test_every_change_has_a_test_here():
    assert {named(entry) for entry in EVERY} == set(CHANGES)


@pytest.mark.parametrize("entry", EVERY, ids=named)
def test_grey_pictures_are_changed_too(entry):
    images = photographs(8)[:, :1]
    changed = Augmentation([entry], size=16, channels=1).change(images, keys(8))
    assert changed.shape == images.shape


@pytest.mark.parametrize("corpus", [CIFAR10, StylePictures])
@pytest.mark.parametrize("entry", EVERY, ids=named)
def test_changed_pictures_lie_plane_by_plane(entry, corpus):
    """Else a network would run in a layout that nobody asked for, and not every one may."""
    changed = Augmentation([entry], size=16).change(photographs(8), keys(8))
    assert corpus(synthetic=True).normalise(changed).is_contiguous()


def test_crop_cuts_the_windows_that_its_numbers_say():
    images = torch.arange(2 * 3 * 6 * 5).view(2, 3, 6, 5)
    result = crop(images, keys(2), padding=2)
    for index in range(2):
        top = int(uniform(keys(2), 1)[index] * 5)
        left = int(uniform(keys(2), 2)[index] * 5)
        window = pad(images[index], (2, 2, 2, 2))[:, top : top + 6, left : left + 5]
        torch.testing.assert_close(result[index], window)


@pytest.mark.parametrize(("change", "axis"), [(flip, -1), (vertical_flip, -2)])
def test_every_other_picture_is_flipped(change, axis):
    images = torch.arange(1000 * 9).view(1000, 1, 3, 3)
    flipped = change(images, keys(1000))
    mirrored = (flipped == images.flip(axis)).flatten(1).all(1)
    assert ((flipped == images).flatten(1).all(1) | mirrored).all()
    assert 430 < mirrored.sum() < 570
    assert torch.equal(change(images, keys(1000), p=0.0), images)
    assert torch.equal(change(images, keys(1000), p=1.0), images.flip(axis))


def test_resized_crops_have_the_areas_and_shapes_asked_for():
    """A picture of its own coordinates says which window was cut."""
    side, count = 64, 400
    across = torch.arange(side).float().expand(side, side)
    image = torch.stack([across, across.T, across]).byte()
    windows = resized_crop(image.expand(count, -1, -1, -1), keys(count), scale=(0.25, 0.64))
    span = (windows.amax((2, 3)) - windows.amin((2, 3)))[:, :2].float() + 1  # width, height
    area = span.prod(1) / side**2
    shape = span[:, 0] / span[:, 1]
    assert 0.2 < area.min() < 0.3
    assert 0.58 < area.max() < 0.67
    assert abs(area.mean() - 0.445) < 0.02
    assert 0.7 < shape.min() < 0.8
    assert 1.25 < shape.max() < 1.4
    assert abs(shape.log().mean()) < 0.03


def test_a_resized_crop_is_torchvisions_of_the_same_window():
    images = photographs(4, side=20)
    result = resized_crop(images, keys(4), size=12, scale=(0.3, 0.3), ratio=(1.0, 1.0))
    height = round((0.3 * 400) ** 0.5)
    for index in range(4):
        top = int(uniform(keys(4), 6)[index] * (20 - height + 1))
        left = int(uniform(keys(4), 7)[index] * (20 - height + 1))
        wanted = F.resized_crop(images[index], top, left, height, height, [12, 12], antialias=True)
        torch.testing.assert_close(result[index], wanted, rtol=0, atol=0)


def test_a_window_that_does_not_fit_is_cut_down():
    images = photographs(50)
    assert resized_crop(images, keys(50), scale=(1.0, 1.0), ratio=(1.0, 1.0)).equal(images)
    assert resized_crop(images, keys(50), scale=(1.0, 1.0), ratio=(3.0, 4.0)).shape == images.shape


@pytest.mark.parametrize(
    ("name", "adjust", "middle"),
    [
        ("brightness", F.adjust_brightness, 1.0),
        ("contrast", F.adjust_contrast, 1.0),
        ("saturation", F.adjust_saturation, 1.0),
        ("hue", F.adjust_hue, 0.0),
    ],
)
def test_colours_are_changed_as_torchvision_does_by_factors_over_the_whole_range(
    name, adjust, middle
):
    images = photographs(1).expand(200, -1, -1, -1)
    result = color_jitter(images, keys(200), **{name: 0.4})
    factors = [middle + 0.4 * ((2 * level + 1) / 16 - 1) for level in range(16)]
    wanted = torch.stack([adjust(images[0], factor) for factor in factors])
    hits = (result.unsqueeze(1) == wanted).flatten(2).all(2)  # picture, level
    assert hits.any(1).all()
    assert hits.any(0).all()  # each level occurs among 200


def test_a_factor_is_never_below_zero():
    images = photographs(100)
    assert color_jitter(images, keys(100), brightness=2.0).shape == images.shape


@pytest.mark.parametrize("magnitude", [0, 9, 30])
def test_rand_augment_draws_from_torchvisions_outcomes(magnitude):
    """All that torchvision makes of a picture with one operation, and nothing else."""
    image = photographs(1, side=32)
    torch.manual_seed(0)
    transform = v2.RandAugment(num_ops=1, magnitude=magnitude)
    outcomes = {transform(image).numpy().tobytes() for _ in range(600)}
    ours = rand_augment(image.expand(600, -1, -1, -1), keys(600), num_ops=1, magnitude=magnitude)
    assert {row.unsqueeze(0).numpy().tobytes() for row in ours} == outcomes
    assert len(rand_augment_changes(magnitude, 32, 32)) == 28


def test_two_operations_are_drawn_apart():
    images = photographs(1, side=32).expand(400, -1, -1, -1)
    once = {r.numpy().tobytes() for r in rand_augment(images, keys(400), num_ops=1)}
    twice = {r.numpy().tobytes() for r in rand_augment(images, keys(400), num_ops=2)}
    assert len(twice) > 4 * len(once)


def test_cutout_covers_a_square_as_far_as_it_lies_in_the_picture():
    images = torch.zeros(500, 3, 20, 20, dtype=torch.uint8)
    covered = cutout(images, keys(500), hole=6, fill=9) == 9
    assert (covered == covered[:, :1]).all()
    rows, columns = covered[:, 0].any(2), covered[:, 0].any(1)
    assert (covered[:, 0] == rows.unsqueeze(2) & columns.unsqueeze(1)).all()
    assert rows.sum(1).max() == 6
    assert rows.sum(1).min() == 3  # about a pixel at the upper edge
    assert covered[:, 0].float().mean(0).min() > 0.01  # nowhere is safe


def test_mixed_labels_are_the_shares_of_the_pictures():
    images = torch.arange(8).float().view(8, 1, 1, 1).expand(8, 1, 10, 10)
    labels = torch.arange(8) % 5
    mixed, shares = mixup(images, labels, keys(8), num_classes=5)
    assert shares.shape == (8, 5)
    torch.testing.assert_close(shares.sum(1), torch.ones(8))
    share = shares[3, 3]  # of itself; the rest is its neighbour's
    torch.testing.assert_close(
        mixed[3, 0], torch.full((10, 10), float(share * 3 + (1 - share) * 2))
    )
    mixed, shares = cutmix(images, labels, keys(8), num_classes=5)
    own = (mixed[3, 0] == 3).float().mean()
    torch.testing.assert_close(shares[3, 3], own)


@pytest.mark.parametrize("mix", [mixup, cutmix])
def test_mixing_draws_by_key_and_leaves_the_generator_alone(mix):
    images, labels = torch.rand(8, 3, 10, 10), torch.arange(8)
    torch.manual_seed(1)
    one = mix(images, labels, keys(8), num_classes=8)
    drawn = torch.rand(())
    torch.manual_seed(1)
    assert torch.rand(()) == drawn
    again = mix(images, labels, keys(8), num_classes=8)
    assert torch.equal(one[0], again[0])
    assert torch.equal(one[1], again[1])
    assert not torch.equal(mix(images, labels, keys(8, epoch=1), num_classes=8)[1], one[1])


@pytest.mark.parametrize(
    ("augment", "words"),
    [
        ("[flp]", ["flp", "flip", "cutmix"]),
        ("[{crop: {pading: 2}}]", ["crop", "pading", "padding"]),
        ("[{crop: {padding: much}}]", ["crop"]),
        ("[{crop: {padding: -9}}]", ["crop"]),
        ("[{rand_augment: {magnitude: 31}}]", ["rand_augment", "magnitude", "30"]),
        ("[{color_jitter: {hue: 0.7}}]", ["color_jitter", "hue"]),
        ("[{flip: 3}]", ["flip", "option"]),
        ("[{flip: {}, crop: {}}]", ["wanted a name"]),
        ("[mixup, cutmix]", ["cutmix", "one mix"]),
        ("[{mixup: {alpha: -1}}]", ["mixup"]),
    ],
)
def test_a_change_that_does_not_exist_is_one_line(augment, words, capsys):
    line = fails(
        capsys, "fit", "resnet_small-cifar10", "--data.augment", augment, "--data.synthetic", "true"
    )
    for word in words:
        assert word in line


@pytest.mark.parametrize("mix", ["mixup", "cutmix"])
def test_a_network_trains_on_mixed_labels(mix):
    corpus = CIFAR10(synthetic=True, batch_size=64, augment=["flip", {"crop": {"padding": 2}}, mix])
    model = SoftmaxRegression(corpus.in_features, corpus.num_classes, label_smoothing=0.1)
    trainer = quiet_trainer(limit_train_batches=3)
    trainer.fit(model, corpus)
    assert trainer.callback_metrics["train/loss_epoch"].isfinite()
    assert 0 <= trainer.callback_metrics["train/accuracy_epoch"] <= 1


def test_options_are_tried_before_any_file_is_read():
    with pytest.raises(CorpusError, match="no change is called turn"):
        CIFAR10(root="/nowhere", augment=["turn"])


def test_rand_augment_does_as_much_as_torchvisions():
    ours, theirs = (signature(each).parameters for each in (rand_augment, v2.RandAugment))
    for name in ("num_ops", "magnitude"):
        assert ours[name].default == theirs[name].default
