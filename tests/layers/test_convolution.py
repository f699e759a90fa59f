"""Convolution, pooling, batch normalisation: against torch's, against what the course printed."""

import io
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tests.conftest import drawn, one_line
from zoo.errors import InputError
from zoo.layers.batch_norm import BatchNorm
from zoo.layers.convolution import (
    AvgPool2d,
    Conv2d,
    MaxPool2d,
    Pool2d,
    corr2d,
    corr2d_1x1,
    corr2d_multi,
    windows,
)

SIZES = st.integers(1, 5)
PAIRS = st.tuples(SIZES, SIZES)
STRIDES = st.integers(1, 3) | st.tuples(st.integers(1, 3), st.integers(1, 3))
POOLS = [(MaxPool2d, nn.MaxPool2d), (AvgPool2d, nn.AvgPool2d)]


def counted(*shape):
    return torch.arange(float(np.prod(shape))).reshape(shape)


def assert_same(mine, theirs):
    """Equal to 1e-12 of the largest value."""
    scale = theirs.detach().abs().max().item() if theirs.numel() else 0.0
    torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-12 * scale)


def assert_twins(mine, twin, *inputs):
    """The same outputs, and the same gradients of all inputs and parameters."""
    found = []
    for module in (mine, twin):
        arguments = [x.detach().clone().requires_grad_() for x in inputs]
        outputs = module(*arguments)
        learned = list(module.parameters()) if isinstance(module, nn.Module) else []
        loss = (outputs * drawn(*outputs.shape, seed=9)).sum()
        found.append((outputs, *torch.autograd.grad(loss, arguments + learned)))
    for our, their in zip(*found, strict=True):
        assert_same(our, their)


def loaded(mine, twin):
    """Both in float64, with torch's parameters moved off their starts."""
    twin = twin.double()
    for seed, parameter in enumerate(twin.parameters(), 3):
        parameter.data = drawn(*parameter.shape, seed=seed)
    mine = mine.double()
    mine.load_state_dict(twin.state_dict())
    return mine, twin


def test_one_channel_as_the_course_printed():
    outputs = corr2d(counted(3, 3), torch.tensor([[0.0, 1], [2, 3]]))
    assert outputs.tolist() == [[19, 25], [37, 43]]


@given(size=PAIRS, more=PAIRS, channels=PAIRS)
def test_correlation_is_torchs(size, more, channels):
    height, width = size[0] + more[0], size[1] + more[1]
    images, kernels = drawn(channels[0], height, width), drawn(channels[1], channels[0], *size)
    assert_twins(corr2d_multi, nn.functional.conv2d, images, kernels)
    one = partial(corr2d_multi, images[:1])
    assert_same(corr2d(images[0], kernels[0, 0]), one(kernels[:1, :1])[0])


@given(channels=PAIRS, size=PAIRS)
def test_one_pixel_is_a_matrix_product(channels, size):
    images, kernels = drawn(channels[0], *size), drawn(channels[1], channels[0], 1, 1)
    assert_twins(corr2d_1x1, corr2d_multi, images, kernels)


def test_channels_are_summed():
    images, kernels = drawn(3, 6, 7), drawn(2, 3, 2, 3, seed=1)
    for outputs, kernel in zip(corr2d_multi(images, kernels), kernels, strict=True):
        each = [corr2d(x, w) for x, w in zip(images, kernel, strict=True)]
        assert_same(outputs, sum(each))


def test_convolution_is_correlation_with_the_kernel_flipped():
    line, kernel = drawn(1, 9), drawn(1, 3, seed=1)
    convolved = torch.from_numpy(np.convolve(line[0].numpy(), kernel[0].numpy(), mode="valid"))
    assert_same(corr2d(line, kernel.flip(0, 1))[0], convolved)
    assert (corr2d(line, kernel)[0] - convolved).abs().max() > 0.1
    point = torch.zeros(5, 5)
    point[2, 2] = 1  # convolution answers a point with its kernel, correlation with it flipped
    assert corr2d(point, counted(3, 3)).equal(counted(3, 3).flip(0, 1))


def test_windows_are_a_view():
    images = counted(2, 4, 6)
    patches = windows(images, (3, 2), (1, 2))
    assert patches.shape == (2, 2, 3, 3, 2)
    assert patches[1, 1, 2].equal(images[1, 1:4, 4:6])
    assert patches.data_ptr() == images.data_ptr()


@given(
    channels=PAIRS,
    size=st.tuples(st.integers(5, 9), st.integers(5, 9)),
    kernel_size=SIZES | PAIRS,
    stride=STRIDES,
    padding=st.integers(0, 4) | st.tuples(st.integers(0, 4), st.integers(0, 4)),
    bias=st.booleans(),
    batch=st.integers(0, 3),
)
def test_conv2d_is_torchs(channels, size, kernel_size, stride, padding, bias, batch):
    settings = {"stride": stride, "padding": padding, "bias": bias}
    mine, twin = loaded(*(c(*channels, kernel_size, **settings) for c in (Conv2d, nn.Conv2d)))
    assert_twins(mine, twin, drawn(batch, channels[0], *size))
    twin.load_state_dict(mine.state_dict())


def test_conv2d_begins_as_torchs():
    weights = []
    for layer in (Conv2d, nn.Conv2d):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            weights.append(list(layer(3, 8, (3, 5)).parameters()))
    torch.testing.assert_close(*weights)


def test_conv2d_shapes_as_the_course_printed():
    layer = Conv2d(2, 3, (3, 5), padding=(1, 2))
    assert layer(torch.ones(4, 2, 3, 5)).shape == (4, 3, 3, 5)
    assert layer.weight.shape == (3, 2, 3, 5)


def test_a_kernel_of_the_whole_picture_has_the_parameters_of_a_dense_layer():
    with torch.device("meta"):
        layers = Conv2d(3, 1000, 256), nn.Linear(3 * 256 * 256, 1000)
        assert layers[0](torch.empty(2, 3, 256, 256)).shape == (2, 1000, 1, 1)
    assert [sum(p.numel() for p in c.parameters()) for c in layers] == [196_609_000] * 2


@pytest.mark.parametrize(
    ("lr", "bias", "seed"),
    [(0.01, True, 1), (0.03, False, 0), (0.03, False, 1), (0.03, False, 2)],
    ids=["the course's", "the book's", "the book's, seed 1", "the book's, seed 2"],
)
def test_edges_are_found_and_the_detector_learned(lr, bias, seed):
    image = torch.ones(6, 8)
    image[:, 2:6] = 0
    edges = corr2d(image, torch.tensor([[1.0, -1]]))
    assert edges.equal(torch.tensor([[0.0, 1, 0, 0, 0, -1, 0]]).expand(6, 7))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layer = Conv2d(1, 1, (1, 2), bias=bias)
    optimizer = torch.optim.SGD(layer.parameters(), lr)
    for _ in range(30):
        optimizer.zero_grad()
        (layer(image[None, None]) - edges).square().sum().backward()
        optimizer.step()
    assert layer.weight.flatten().tolist() == pytest.approx([1, -1], abs=0.02)


def test_max_pooling_as_the_course_printed():
    outputs = MaxPool2d(3, padding=1, stride=(2, 1))(counted(1, 2, 4, 4))
    first = torch.tensor([[5.0, 6, 7, 7], [13, 14, 15, 15]])
    assert outputs.equal(torch.stack([first, first + 16])[None])


@pytest.mark.parametrize(("mine", "twin"), POOLS)
@given(
    data=st.data(),
    kernel_size=PAIRS,
    stride=st.none() | STRIDES,
    size=st.tuples(st.integers(5, 9), st.integers(5, 9)),
    channels=SIZES,
    ties=st.booleans(),
)
def test_pooling_is_torchs(mine, twin, data, kernel_size, stride, size, channels, ties):
    padding = data.draw(st.tuples(*(st.integers(0, k // 2) for k in kernel_size)))
    images = drawn(2, channels, *size)
    images = images.round() if ties else images - 10  # a padding of 0 would be the largest
    pools = [pool(kernel_size, stride, padding) for pool in (mine, twin)]
    assert_twins(*pools, images)


SHAPES = [(nn.BatchNorm1d, (6, 3)), (nn.BatchNorm2d, (4, 3, 5, 2)), (nn.BatchNorm2d, (3, 3, 1, 1))]


@pytest.mark.parametrize(("kind", "shape"), SHAPES)
@pytest.mark.parametrize("settings", [{}, {"eps": 0.1, "momentum": 0.7}])
def test_batch_norm_is_torchs(kind, shape, settings):
    mine, twin = loaded(BatchNorm(3, **settings), kind(3, **settings))
    assert list(mine.state_dict()) == list(twin.state_dict())
    for seed in range(5):
        assert_twins(mine, twin, drawn(*shape, seed=seed) * 3 + 2)
        for our, their in zip(mine.buffers(), twin.buffers(), strict=True):
            assert_same(our, their)
    assert mine.num_batches_tracked == 5
    assert not any(buffer.requires_grad for buffer in mine.buffers())
    before = [buffer.clone() for buffer in mine.buffers()]
    assert_twins(mine.eval(), twin.eval(), drawn(*shape, seed=7))
    assert_twins(mine, twin, drawn(1, *shape[1:]))
    assert all(a.equal(b) for a, b in zip(before, mine.buffers(), strict=True))


@given(values=st.integers(2, 6), features=SIZES, scale=st.floats(0.1, 100))
def test_a_batch_comes_out_with_mean_0_and_variance_1(values, features, scale):
    outputs = BatchNorm(features, eps=0.0).double()(drawn(values, features) * scale + scale)
    assert_same(outputs.mean(0) + 1, torch.ones(features, dtype=torch.float64))
    assert_same(outputs.var(0, correction=0), torch.ones(features, dtype=torch.float64))


@pytest.mark.parametrize(("kind", "shape"), SHAPES)
def test_batch_norm_begins_as_torchs(kind, shape):
    mine, twin = BatchNorm(3), kind(3)
    assert (mine.eps, mine.momentum) == (twin.eps, twin.momentum)
    for (name, our), (same, their) in zip(
        mine.state_dict().items(), twin.state_dict().items(), strict=True
    ):
        assert name == same
        assert our.dtype == their.dtype
        assert our.equal(their), name


def test_running_statistics_are_saved_loaded_and_moved():
    mine, twin, file = BatchNorm(3), nn.BatchNorm2d(3), io.BytesIO()
    mine(drawn(4, 3, 5, 2).float() + 1)
    torch.save(mine.state_dict(), file)
    file.seek(0)
    twin.load_state_dict(torch.load(file, weights_only=True))
    assert twin.running_mean.equal(mine.running_mean)
    assert twin.running_mean.abs().min() > 0.01
    assert twin.num_batches_tracked == 1
    back = BatchNorm(3)
    back.load_state_dict(twin.state_dict())
    assert back.running_var.equal(mine.running_var)
    moved = mine.to("meta", torch.float64)
    assert [b.device.type for b in moved.buffers()] == ["meta"] * 3
    assert [b.dtype for b in moved.buffers()] == [torch.float64, torch.float64, torch.int64]


def test_batch_norm_sums_in_the_precision_of_its_parameters():
    inputs = (drawn(64, 3, 4, 4) + 20).bfloat16()
    mine, twin = BatchNorm(3), nn.BatchNorm2d(3)
    outputs = mine(inputs)
    assert outputs.dtype is torch.bfloat16
    torch.testing.assert_close(outputs, twin(inputs))
    torch.testing.assert_close(mine.running_mean, twin.running_mean)
    torch.testing.assert_close(mine.running_var, twin.running_var)


FLAT, DEEP = torch.ones(3, 3), torch.ones(2, 3, 3)
BATCH = torch.ones(2, 3, 4, 4)


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: corr2d(DEEP, FLAT), r"\(2, 3, 3\) has to be \(height, width\)"),
        (lambda: corr2d(FLAT, DEEP), r"\(2, 3, 3\) has to be \(height, width\)"),
        (lambda: corr2d(FLAT, torch.ones(2, 4)), "2 x 4 pixels does not fit in .* 3 x 3"),
        (lambda: corr2d(FLAT, torch.ones(4, 2)), "4 x 2 pixels does not fit in .* 3 x 3"),
        (lambda: corr2d_multi(FLAT, BATCH), r"has to be \(in, height, width\)"),
        (lambda: corr2d_multi(DEEP, BATCH), r"has to be \(out, 2, height, width\)"),
        (lambda: corr2d_multi(DEEP, DEEP), r"has to be \(out, 2, height, width\)"),
        (lambda: corr2d_1x1(FLAT, BATCH), r"has to be \(in, height, width\)"),
        (lambda: corr2d_1x1(DEEP, torch.ones(1, 2, 1, 2)), r"has to be \(out, 2, 1, 1\)"),
        (lambda: Conv2d(3, 1, 2)(DEEP), r"has to be \(batch, 3, height, width\)"),
        (lambda: Conv2d(2, 1, 2)(BATCH), r"\(2, 3, 4, 4\) has to be \(batch, 2, height, width\)"),
        (lambda: Conv2d(3, 1, 7, padding=1)(BATCH), "7 x 7 pixels does not fit in .* 6 x 6"),
        (lambda: Conv2d(3, 1, 0), "kernel_size is 0; .* from 1"),
        (lambda: Conv2d(3, 1, 2, stride=(1, 0)), r"stride is \(1, 0\); .* from 1"),
        (lambda: Conv2d(3, 1, 2, padding=-1), "padding is -1; .* from 0"),
        (lambda: MaxPool2d(3)(DEEP), r"has to be \(batch, channels, height, width\)"),
        (lambda: AvgPool2d((1, 5))(BATCH), "1 x 5 pixels does not fit in .* 4 x 4"),
        (lambda: MaxPool2d((4, 3), padding=2), r"padding 2 is more than half of .*\(4, 3\)"),
        (lambda: MaxPool2d(3, stride=0), "stride is 0; .* from 1"),
        (lambda: BatchNorm(3)(DEEP), r"has to be \(batch, 3\) or \(batch, 3, height, width\)"),
        (lambda: BatchNorm(2)(FLAT), r"\(3, 3\) has to be \(batch, 2\)"),
        (lambda: BatchNorm(3)(FLAT[:1]), "1 values a channel .* larger batches"),
        (lambda: BatchNorm(3)(BATCH[:0]), "0 values a channel .* larger batches"),
    ],
)
def test_what_does_not_fit_is_one_line(act, words):
    with one_line(InputError, match=words):
        act()


def test_a_pooling_without_a_rule_is_no_pooling():
    with pytest.raises(TypeError, match="does not say what becomes of a window"):
        Pool2d(2)(BATCH)
