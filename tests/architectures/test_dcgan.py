"""DCGAN: sizes, normalisation, labels, and what it makes of them."""

from functools import partial

import pytest
import torch
from lightning.pytorch import LightningDataModule
from torch import nn
from torch.optim import SGD, Adam
from torch.utils.data import DataLoader

from datamodules import FashionMNIST
from tests.architectures.conftest import SMALL_DCGAN
from tests.conftest import quiet_trainer
from zoo.errors import InputError
from zoo.generation.dcgan import DCGAN
from zoo.generation.gan import GAN
from zoo.generation.sample_grids import arranged, drawn


@torch.no_grad()
@pytest.mark.parametrize(("size", "channels", "layers"), [(28, 1, 2), (32, 3, 3), (64, 3, 4)])
def test_pictures_of_each_size(size, channels, layers):
    model = DCGAN(channels, size, width_ratio=1 / 16)
    images = model(torch.randn(3, 100))
    assert images.shape == (3, channels, size, size)
    assert images.abs().max() <= 1
    assert model.discriminate(images).shape == (3,)
    assert sum(isinstance(m, nn.ConvTranspose2d) for m in model.modules()) == layers + 1
    normalised = [m for m in model.discriminator if isinstance(m, nn.BatchNorm2d)]
    assert len(normalised) == layers - 1  # the first layer has none
    gains = torch.cat([m.weight for m in model.modules() if isinstance(m, nn.BatchNorm2d)])
    assert gains.mean() == pytest.approx(1, abs=0.02)


@torch.no_grad()
def test_weights_begin_near_zero():
    torch.manual_seed(0)
    model = DCGAN(3)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            assert layer.weight.std() == pytest.approx(0.02, rel=0.1)


@pytest.mark.parametrize("size", [8, 14, 30, 63, 22])
def test_sizes_that_cannot_be_doubled_are_refused(size):
    with pytest.raises(InputError, match=f"28, 32, 64 or 128 pixels, not {size}"):
        DCGAN(1, size)


def test_spectral_norm_divides_by_the_largest_singular_value():
    model = DCGAN(**SMALL_DCGAN, spectral_norm=True)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in model.discriminator.modules())
    for _ in range(100):  # each pass is a step of the power iteration
        model.discriminate(torch.randn(2, 1, 28, 28))
    for layer in model.discriminator:
        if isinstance(layer, nn.Conv2d):
            largest = torch.linalg.matrix_norm(layer.weight.flatten(1), 2)
            assert largest.item() == pytest.approx(1, abs=0.02)


def test_the_courses_network_is_an_option():
    model = DCGAN(3, normalise_first=True, eps=0.8)
    normalised = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(normalised) == 8
    assert {m.eps for m in normalised} == {0.8}
    assert not any("BatchNorm" in str(m) for m in DCGAN(3, objective="wasserstein").discriminator)


def test_a_conditional_network_is_told_the_label():
    torch.manual_seed(0)
    model = DCGAN(**SMALL_DCGAN, num_classes=10, conditional=True)
    noise, labels = torch.randn(2, 6), torch.tensor([3, 4])
    images = model(noise, labels)
    assert not torch.allclose(images, model(noise, labels.flip(0)))
    assert not torch.allclose(
        model.discriminate(images, labels), model.discriminate(images, labels.flip(0))
    )
    told = model.seen(images, labels)[:, 1:].mean((2, 3))
    torch.testing.assert_close(told, torch.eye(10)[labels])
    with pytest.raises(InputError, match="no labels"):
        DCGAN(**SMALL_DCGAN, conditional=True)
    with pytest.raises(InputError, match="no labels"):
        GAN(2, conditional=True)
    generator = torch.Generator().manual_seed(0)
    noise, labels, columns = arranged(model, 64, generator)
    assert (columns, labels[:12].tolist()) == (10, [*range(10), 0, 1])
    assert drawn(model, noise, labels, rows=7).shape == (64, 1, 28, 28)


def test_memory_laid_out_by_pixel_changes_nothing():
    results = []
    for last in (False, True):
        torch.manual_seed(0)
        model = DCGAN(
            **SMALL_DCGAN, channels_last=last, ema_decay=0.9, optimizer=partial(SGD, lr=0.01)
        )
        data = FashionMNIST(synthetic=True, batch_size=8, scale="symmetric")
        quiet_trainer(limit_train_batches=2, limit_val_batches=1).fit(model, data)
        results.append(model.state_dict())
    for name, value in results[0].items():
        torch.testing.assert_close(results[1][name], value, rtol=1e-3, atol=1e-5)


class TwoKinds(LightningDataModule):
    """Squares and bars."""

    def train_dataloader(self):
        images = torch.full((16, 1, 28, 28), -0.8)
        images[:8, :, 8:20, 8:20] = 0.8
        images[8:, :, :, 12:16] = 0.8
        batches = [(images, torch.arange(16) // 8)] * 40
        return DataLoader(batches, batch_size=None, collate_fn=tuple)


@pytest.mark.slow
def test_a_conditional_network_makes_what_it_is_told():
    torch.manual_seed(0)
    model = DCGAN(
        1, 28, num_classes=2, conditional=True, width_ratio=0.25, optimizer=partial(Adam, lr=1e-3)
    )
    quiet_trainer(max_epochs=4).fit(model, TwoKinds())
    labels = torch.arange(16) // 8
    images = drawn(model, torch.randn(16, 100), labels)
    square, bar = images[:8].mean(0)[0], images[8:].mean(0)[0]
    assert square[10:18, 9:11].mean() > 0 > bar[10:18, 9:11].mean()
    assert bar[:6, 12:16].mean() > 0 > square[:6, 12:16].mean()
