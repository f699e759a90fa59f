"""Cross-correlation and pooling from their equations; torch's kernels are what networks use.

Arguments are plain tensors in the signatures, for a wrong shape has to reach the check that
names it.

Source: Zhang, Lipton, Li and Smola 2023, Dive into Deep Learning, https://d2l.ai, sections 7.2 to
        7.5; Goodfellow, Bengio and Courville 2016, Deep Learning, https://www.deeplearningbook.org,
        equations 9.6 and 9.8, section 9.3
"""

from math import inf

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.errors import InputError
from zoo.shapes import Images

Image = Float[Tensor, "height width"]
Channels = Float[Tensor, "channels height width"]
Size = int | tuple[int, int]


def windows(
    images: Tensor, kernel_size: tuple[int, int], stride: tuple[int, int] = (1, 1)
) -> Tensor:
    """Every place of the kernel, as a view that copies nothing.

    Args:
        images: (..., height, width).
        kernel_size: Height and width of a window.
        stride: Pixels from one window to the next, down and across.

    Returns:
        (..., rows, columns, kernel height, kernel width), at [..., i, j, u, v] the image's pixel
        [..., i * stride + u, j * stride + v].

    Raises:
        InputError: The images are smaller than a window.
    """
    (height, width), (down, across) = kernel_size, stride
    if images.shape[-2] < height or images.shape[-1] < width:
        raise InputError(
            f"a kernel of {height} x {width} pixels does not fit in a picture of "
            f"{images.shape[-2]} x {images.shape[-1]}, padding included"
        )
    return images.unfold(-2, height, down).unfold(-2, width, across)


def corr2d(image: Tensor, kernel: Tensor) -> Image:
    """One channel in, one out: y[i,j] = sum_{u,v} w[u,v] x[i + u, j + v].

    Mathematics' convolution is this with the kernel flipped; a network learns either.

    Args:
        image: x, (height, width).
        kernel: w, (kernel height, kernel width).

    Returns:
        y, (height - kernel height + 1, width - kernel width + 1).

    Raises:
        InputError: A tensor has another rank, or the kernel does not fit in the image.

    Source: Deep Learning, equation 9.6; Dive into Deep Learning, section 7.2.1
    """
    require(image, "(height, width)")
    require(kernel, "(height, width)")
    return (windows(image, (kernel.shape[0], kernel.shape[1])) * kernel).sum((-2, -1))


def corr2d_multi(images: Tensor, kernels: Tensor) -> Channels:
    """Channels in and out: y[o,i,j] = sum_{c,u,v} w[o,c,u,v] x[c, i + u, j + v].

    Args:
        images: x, (in, height, width): one picture, a channel at a time.
        kernels: w, (out, in, kernel height, kernel width).

    Returns:
        y, (out, height - kernel height + 1, width - kernel width + 1).

    Raises:
        InputError: A tensor has another rank, the numbers of channels differ, or the kernels do
            not fit in the images.

    Source: Dive into Deep Learning, section 7.4.2
    """
    require(images, "(in, height, width)")
    require(kernels, f"(out, {len(images)}, height, width)")
    patches = windows(images, (kernels.shape[2], kernels.shape[3]))
    return torch.einsum("cijuv,ocuv->oij", patches, kernels)


def corr2d_1x1(images: Tensor, kernels: Tensor) -> Channels:
    """A kernel of one pixel is a dense layer across the channels of each: Y = W X.

    Args:
        images: X, (in, height, width), whose pixels are the columns.
        kernels: W, (out, in, 1, 1).

    Returns:
        Y, (out, height, width).

    Raises:
        InputError: A tensor has another shape.

    Source: Dive into Deep Learning, section 7.4.3; Lin, Chen and Yan 2014,
        https://arxiv.org/abs/1312.4400, section 3.1
    """
    require(images, "(in, height, width)")
    require(kernels, f"(out, {len(images)}, 1, 1)")
    return (kernels.flatten(1) @ images.flatten(1)).unflatten(1, images.shape[1:])


class Conv2d(nn.Module):
    """With stride s: y[o,i,j] = b[o] + sum_{c,u,v} w[o,c,u,v] x[c, i s + u, j s + v].

    Shapes: (batch, in, height, width) -> (batch, out, rows, columns), where
    rows = (height + 2 padding - kernel height) // stride + 1, and columns likewise.

    Weight and bias begin uniform within 1 / sqrt(in * kernel height * kernel width), as torch's.

    Args:
        in_channels: Channels of x.
        out_channels: Channels of y.
        kernel_size: Pixels, or height and width.
        stride: Pixels from one window to the next, or down and across.
        padding: Zeros on every side, or above and below, left and right.
        bias: Whether b is learned; else there is none.

    Raises:
        InputError: A size is too small, or the pictures have another shape or are smaller than
            the kernel.

    Source: Deep Learning, equation 9.8; Dive into Deep Learning, sections 7.3 and 7.4
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.kernel_size = pair("kernel_size", kernel_size, least=1)
        self.stride = pair("stride", stride, least=1)
        self.padding = pair("padding", padding, least=0)
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, *self.kernel_size))
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        bound = self.weight[0].numel() ** -0.5
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, images: Tensor) -> Images:
        require(images, f"(batch, {self.in_channels}, height, width)")
        patches = windows(padded(images, self.padding), self.kernel_size, self.stride)
        outputs = torch.einsum("bcijuv,ocuv->boij", patches, self.weight)
        return outputs if self.bias is None else outputs + self.bias[:, None, None]


class Pool2d(nn.Module):
    """One value of each window of each channel, which `pool` takes; the base of both poolings.

    Shapes: (batch, channels, height, width) -> (batch, channels, rows, columns), as `Conv2d`.

    Args:
        kernel_size: Pixels, or height and width.
        stride: Pixels from one window to the next, or down and across; by default the kernel's.
        padding: Pixels on every side, or above and below, left and right; at most half a kernel.

    Raises:
        InputError: A size is out of bounds, or the pictures have another rank or are smaller than
            the kernel.

    Source: Deep Learning, section 9.3; Dive into Deep Learning, section 7.5
    """

    outside = 0.0

    def __init__(self, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> None:
        super().__init__()
        self.kernel_size = pair("kernel_size", kernel_size, least=1)
        self.stride = pair("stride", kernel_size if stride is None else stride, least=1)
        self.padding = pair("padding", padding, least=0)
        if any(2 * p > k for p, k in zip(self.padding, self.kernel_size, strict=True)):
            raise InputError(f"padding {padding} is more than half of kernel_size {kernel_size}")

    def forward(self, images: Tensor) -> Images:
        require(images, "(batch, channels, height, width)")
        images = padded(images, self.padding, self.outside)
        return self.pool(windows(images, self.kernel_size, self.stride))

    def pool(self, patches: Tensor) -> Tensor:
        """Takes (..., kernel height, kernel width) to (...)."""
        raise TypeError(f"{type(self).__name__} does not say what becomes of a window")


class MaxPool2d(Pool2d):
    """y[c,i,j] = max_{u,v} x[c, i s + u, j s + v], of which padding is never the largest."""

    outside = -inf

    def pool(self, patches: Tensor) -> Tensor:
        return patches.flatten(-2).max(-1).values  # of equals the first gets the gradient


class AvgPool2d(Pool2d):
    """y[c,i,j] = mean_{u,v} x[c, i s + u, j s + v], padding included, which is zeros."""

    def pool(self, patches: Tensor) -> Tensor:
        return patches.mean((-2, -1))


def padded(images: Tensor, padding: tuple[int, int], value: float = 0.0) -> Tensor:
    """The images with a border, above and below, left and right."""
    vertical, horizontal = padding
    return F.pad(images, (horizontal, horizontal, vertical, vertical), value=value)


def pair(name: str, size: Size, least: int) -> tuple[int, int]:
    """Height and width, which one number may give. Raises InputError if one is below the least."""
    both = (size, size) if isinstance(size, int) else size
    if len(both) != 2 or min(both) < least:
        raise InputError(f"{name} is {size}; it has to be one or two numbers from {least} up")
    return both


def require(tensor: Tensor, shape: str) -> None:
    """Raises InputError unless the tensor has the dimensions, and those that are numbers' sizes."""
    names = shape.strip("()").split(", ")
    sizes = [int(name) if name.isdigit() else None for name in names]
    if len(sizes) != tensor.dim() or any(
        size not in (None, found) for size, found in zip(sizes, tensor.shape, strict=True)
    ):
        raise InputError(f"a tensor of shape {tuple(tensor.shape)} has to be {shape}")
