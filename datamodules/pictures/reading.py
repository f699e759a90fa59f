"""One reader of picture files, for every corpus and for what is predicted.

A picture is read as it is looked at: its first frame or page, turned as its camera noted (EXIF),
on white where it is transparent, grey of 16 bits as its shade.
"""

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from PIL import __version__ as PILLOW
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.io import decode_jpeg

from datamodules.files.errors import CorpusError
from datamodules.files.file_paths import DAMAGE, FilePath, why
from datamodules.formats.record_io import Record

MOST_PIXELS = 25_000_000
Picture = FilePath | Record  # where the file of one is; its text names it
BROKEN = (*DAMAGE, ArithmeticError, LookupError, TypeError, struct.error)  # of a decoder
PHONES = (".avif", ".heic", ".heif", ".hif")  # whose pictures some or all Pillows do not know

ORIENTATION = 0x0112  # of EXIF
TURNS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
BITS, PHOTOMETRIC, WHITE_IS_ZERO = 258, 262, 0  # tags of TIFF, and a value

# Said as an error, with the picture's name, of far smaller pictures than Pillow warns of.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
# Said as an error, too, of a format that Pillow was built without.
warnings.filterwarnings("ignore", "image file could not be identified because")
# Of a damaged note, which turns nothing.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.TiffImagePlugin")


def read_picture(
    picture: Picture,
    channels: int,
    size: int | None = None,
    *,
    whole: bool = False,
    on_white: bool = False,
) -> Tensor:
    """Reads a picture as uint8 (channels, height, width).

    Where it is made smaller, a JPEG is decoded at the smallest of its scales (1/1, 1/2, 1/4, 1/8)
    that still has twice the size, so that the last step blurs as it would the whole.

    Args:
        picture: Path of the picture.
        channels: 1 for grey, 3 for colour.
        size: Side of the square that it becomes; by default it stays as it is.
        whole: Whether one of another shape is squeezed into the square; else its middle is cut out.
        on_white: Whether one of another shape is put on a white square.

    Raises:
        CorpusError: It cannot be read, is no picture, is cut off or has over 25 million pixels.
    """
    with _opened(picture) as (image, content):
        before = image.size
        if size is not None and not on_white:
            image.draft(None, (2 * size, 2 * size))  # a JPEG, in the same mode
        turn = _turn(image)  # first: a note behind the pixels of a PNG is not of the header
        if size is not None and image.size != before:
            colored = _shown(image, "L" if channels == 1 else "RGB")
            return _tensor(_upright(_scaled(colored, before, size, whole=whole), turn), channels)
        plain = image.format == "JPEG" and image.mode == "RGB"
        if plain and channels == 3 and turn == 1:  # torchvision gives the same, and is quicker
            content.seek(0)
            data = torch.frombuffer(bytearray(content.read()), dtype=torch.uint8)
            pixels = decode_jpeg(data)
        else:
            colored = _upright(_shown(image, "L" if channels == 1 else "RGB"), turn)
            pixels = _tensor(colored, channels)
    pixels = _white_square(pixels) if on_white else pixels
    if size is None:
        return pixels
    pixels = pixels if whole else _centre_square(pixels)
    if pixels.shape[1:] == (size, size):
        return pixels
    # Pillow's own takes three times as long for the same numbers, but for roundings of one.
    return interpolate(pixels[None], size=(size, size), mode="bilinear", antialias=True)[0]


def picture_size(picture: Picture) -> tuple[int, int]:
    """Width and height in pixels as it is read, by the file's header alone.

    Raises:
        CorpusError: It cannot be read, is no picture or has over 25 million pixels.
    """
    return size_and_turn(picture)[0]


def size_and_turn(picture: Picture) -> tuple[tuple[int, int], int]:
    """Width and height as it is read, and the orientation that its camera noted, from 1 to 8.

    Raises:
        CorpusError: As `picture_size`.
    """
    with _opened(picture) as (image, _):
        noted = _orientation(image)
        width, height = image.size
        if _turn(image) >= 5:
            width, height = height, width
        return (width, height), noted


@contextmanager
def _opened(picture: Picture) -> Iterator[tuple[Image.Image, IO[bytes]]]:
    try:
        content = picture.open()
    except KeyError as error:
        raise CorpusError(f"{picture}: the archive has no such member") from error
    except DAMAGE as error:
        raise CorpusError(f"{picture}: cannot be read ({why(error)})") from error
    try:
        with content, Image.open(content) as image:
            if image.width * image.height > MOST_PIXELS:
                raise CorpusError(f"{picture}: {image.width} x {image.height} pixels are too many")
            yield image, content
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise CorpusError(f"{picture}: {_unread(picture)}") from error
    except BROKEN as error:
        raise CorpusError(f"{picture}: cannot be read ({why(error)})") from error


def _unread(picture: Picture) -> str:
    """Why Pillow does not know a file: it is no picture, or in a format of phones, by any name."""
    with picture.open() as file:
        head = file.read(12)
    known = head[4:8] == b"ftyp"
    named = next((ending for ending in PHONES if str(picture).lower().endswith(ending)), None)
    if not (known or named):
        return "not a picture that can be read"
    ending = (".avif" if head[8:11] == b"avi" else named or ".heic") if known else named
    return f"{ending} is not read by this Pillow ({PILLOW}): save it as JPEG or PNG"


# What is seen


def _orientation(image: Image.Image) -> int:
    """As EXIF or XMP note it, from 1 to 8; 1 where they do not, or are damaged."""
    try:
        # The base's: PNG's own decodes the pixels to look for a note behind them.
        noted = Image.Image.getexif(image).get(ORIENTATION)
        return noted if noted in TURNS else 1
    except BROKEN:
        return 1


def _turn(image: Image.Image) -> int:
    """The orientation that is left to heed: Pillow turns a TIFF itself, when it is loaded."""
    if image.format == "TIFF":
        image.load()
    return _orientation(image)


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    turn = TURNS[orientation]
    return image if turn is None else image.transpose(turn)


def _shown(image: Image.Image, mode: str) -> Image.Image:
    """As grey (L) or in colour (RGB), on white."""
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        image = _shade(image)
    elif image.getbands()[-1] in "Aa" or "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode in ("LA", "RGBA"):
        ground = Image.new("RGBA", image.size, "white")
        ground.alpha_composite(image.convert("RGBA"))
        image = ground
    return image if image.mode == mode else image.convert(mode)


def _shade(image: Image.Image) -> Image.Image:
    """Grey of more than 8 bits, or of fractions, in 8; and how opaque it is where that is noted.

    Raises:
        ValueError: Its values are not from 0 to the most that its bits hold, or not from 0 to 1.
    """
    values = np.asarray(image)
    tags = getattr(image, "tag_v2", {})
    bits = (tags.get(BITS) or (16,))[0]
    most = 1 if image.mode == "F" else 2 ** min(bits, 16) - 1
    least, highest = values.min(), values.max()
    if not (least >= 0 and highest <= most):
        found = f"{least:g} to {highest:g}"
        raise ValueError(f"its values go from {found}, not from 0 to {most:,}: save it in 16 bits")
    shares = values / most
    if tags.get(PHOTOMETRIC) == WHITE_IS_ZERO:
        shares = 1 - shares
    grey = Image.fromarray((255 * shares).round().astype(np.uint8))
    clear = image.info.get("transparency")
    if clear is None:
        return grey
    return Image.merge(
        "LA", (grey, Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)))
    )


def _tensor(image: Image.Image, channels: int) -> Tensor:
    """Pixels as uint8 (channels, height, width)."""
    pixels = np.array(image).reshape(image.height, image.width, channels)
    return torch.from_numpy(pixels).movedim(-1, 0)


def _scaled(image: Image.Image, before: tuple[int, int], size: int, *, whole: bool) -> Image.Image:
    """Makes a square of a JPEG that was decoded at a scale, cut out where its whole would be.

    Args:
        image: What was decoded; where the scale does not divide a side its last pixels are parts.
        before: Width and height of the whole.
        size: Side of the square.
        whole: Whether all of it is squeezed into the square; else its middle is cut out.
    """
    scale = next(s for s in (8, 4, 2) if -(-before[0] // s) == image.width)
    width, height = before
    side = min(before)
    left, top = (0, 0) if whole else ((width - side) // 2, (height - side) // 2)
    right, bottom = before if whole else (left + side, top + side)
    box = (left / scale, top / scale, right / scale, bottom / scale)
    return image.resize((size, size), Image.Resampling.BILINEAR, box=box)


def _white_square(pixels: Tensor) -> Tensor:
    """Pixels (channels, height, width) in the middle of a white square."""
    channels, height, width = pixels.shape
    ground = pixels.new_full((channels, max(height, width), max(height, width)), 255)
    top, left = (ground.shape[1] - height) // 2, (ground.shape[2] - width) // 2
    ground[:, top : top + height, left : left + width] = pixels
    return ground


def _centre_square(pixels: Tensor) -> Tensor:
    """The middle square of pixels (channels, height, width)."""
    height, width = pixels.shape[1:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[:, top : top + side, left : left + side]
