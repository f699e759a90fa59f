"""Augmentation: keyed by picture and epoch, uniform, and against a plain loop."""

import torch
from torch.nn.functional import pad

from datamodules.augmentation import crop, flip, uniform


def keys(n, epoch=0):
    return (epoch << 32) + torch.arange(n)


def test_numbers_are_uniform_and_independent_between_streams_epochs_and_rows():
    streams = [uniform(keys(100_000, epoch), stream) for epoch in (0, 1) for stream in (0, 1)]
    for numbers in streams:
        assert numbers.min() >= 0
        assert numbers.max() < 1
        counts = torch.histc(numbers, bins=10, min=0, max=1)
        assert ((counts - 10_000).abs() < 500).all()
        lagged = torch.corrcoef(torch.stack([numbers[1:], numbers[:-1]]))[0, 1]
        assert lagged.abs() < 0.015
    across = torch.corrcoef(torch.stack(streams)) - torch.eye(4)
    assert across.abs().max() < 0.015


def test_a_picture_is_changed_by_its_own_key_alone():
    images = torch.randint(0, 256, (32, 3, 8, 8), dtype=torch.uint8)
    for change in (flip, crop):
        whole = change(images, keys(32))
        assert whole.dtype == torch.uint8
        torch.testing.assert_close(change(images[5:9], keys(32)[5:9]), whole[5:9])
        assert not torch.equal(change(images, keys(32, epoch=1)), whole)


def test_crop_cuts_the_windows_that_its_numbers_say():
    images = torch.arange(2 * 3 * 6 * 5).view(2, 3, 6, 5)
    result = crop(images, keys(2), padding=2)
    for index in range(2):
        top = int(uniform(keys(2), 1)[index] * 5)
        left = int(uniform(keys(2), 2)[index] * 5)
        window = pad(images[index], (2, 2, 2, 2))[:, top : top + 6, left : left + 5]
        torch.testing.assert_close(result[index], window)


def test_every_other_picture_is_flipped():
    images = torch.arange(1000 * 4).view(1000, 1, 1, 4)
    flipped = flip(images, keys(1000))
    mirrored = (flipped == images.flip(-1)).flatten(1).all(1)
    assert ((flipped == images).flatten(1).all(1) | mirrored).all()
    assert 430 < mirrored.sum() < 570
