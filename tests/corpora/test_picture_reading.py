"""Pictures are read as they are looked at, in every format and mode that tools write."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps, features

from datamodules.batches.in_memory import Rows
from datamodules.files.file_paths import FilePath
from datamodules.pictures.own_sizes import WholePictures
from datamodules.pictures.reading import picture_size, read_picture, size_and_turn
from datamodules.pictures.rows import pictures_in
from datamodules.pictures.to_predict import PictureFiles
from tests.conftest import refused

GREY = np.arange(0, 256, dtype=np.uint8).reshape(8, 32)  # every shade


def scene(width=40, height=24) -> Image.Image:
    """Another colour in each quarter."""
    picture = Image.new("RGB", (width, height), (200, 40, 40))
    picture.paste((40, 200, 40), (width // 2, 0, width, height // 2))
    picture.paste((40, 40, 200), (0, height // 2, width // 2, height))
    return picture


def saved(path, picture=None, **options) -> FilePath:
    (picture or scene()).save(path, **options)
    return FilePath(path)


def noted(orientation) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def pixels(picture: FilePath, channels=3, **options) -> np.ndarray:
    return read_picture(picture, channels, **options).movedim(0, -1).numpy()


# Turned


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_camera_noted(tmp_path, ending, orientation):
    options = {"lossless": True} if ending == "webp" else {}
    picture = saved(tmp_path / f"a.{ending}", exif=noted(orientation), **options)
    with Image.open(picture.path) as image:
        image.load()
        wanted = np.array(ImageOps.exif_transpose(image).convert("RGB"))
    assert np.array_equal(pixels(picture), wanted)
    assert (
        picture_size(picture) == wanted.shape[1::-1] == ((24, 40) if orientation > 4 else (40, 24))
    )
    assert size_and_turn(picture)[1] == orientation
    near = np.abs(pixels(picture, size=16, whole=True)[[0, 0, -1], [0, -1, -1]].astype(int) - 40)
    corners = np.abs(wanted[[0, 0, -1], [0, -1, -1]].astype(int) - 40)
    assert np.abs(near - corners).max() < 60


def test_a_square_picture_lies_right_in_all_that_reads_pictures(tmp_path):
    upright = saved(tmp_path / "upright.png", scene(32, 32))
    turned = saved(tmp_path / "turned.png", scene(32, 32).rotate(90), exif=noted(6))
    files = [str(upright.path), str(turned.path)]
    labelled = PictureFiles(files, ["a"], [0.5] * 3, [0.5] * 3, size=16).rows
    (one, other), _ = labelled[Rows(0, torch.arange(2))][:2]
    assert torch.equal(one, other)
    painted = list(WholePictures(files).predict_dataloader())
    assert torch.equal(painted[0][0], painted[1][0])


def test_a_note_in_xmp_counts_and_damaged_ones_do_not(tmp_path):
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    assert picture_size(saved(tmp_path / "xmp.jpg", xmp=xmp)) == (24, 40)
    for name, exif in {
        "junk": b"Exif\0\0" + b"junk" * 9,
        "short": b"Exif\0\0II*\0\x08\0\0\0",
        "ninth": noted(9).tobytes(),
        "zeroth": noted(0).tobytes(),
        "none": b"Exif\0\0",
    }.items():
        picture = saved(tmp_path / f"{name}.jpg", exif=exif)
        assert picture_size(picture) == (40, 24), name
        assert pixels(picture).shape == (24, 40, 3)


# Shades


def wide(grey: np.ndarray) -> np.ndarray:
    return grey.astype(np.uint16) * 257


def tiff(path, values: np.ndarray, bits: int, photometric=1) -> FilePath:
    """A TIFF of one strip, written by hand: tools write more kinds than Pillow does."""
    height, width = values.shape
    if bits == 12:
        even, odd = values.reshape(-1, 2).astype(np.uint32).T
        packed = np.stack([even >> 4, (even & 15) << 4 | odd >> 8, odd & 255], 1)
        content = packed.astype(np.uint8).tobytes()
    else:
        content = values.astype("<u2").tobytes()
    tags = [
        *((256, width), (257, height), (258, bits), (259, 1), (262, photometric)),
        *((273, 8), (277, 1), (278, height), (279, len(content))),
    ]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    start = struct.pack("<2sHI", b"II", 42, 8 + len(content))
    path.write_bytes(start + content + struct.pack("<H", len(tags)) + entries + bytes(4))
    return FilePath(path)


DEEP = {
    "png": lambda path: saved(path, Image.fromarray(wide(GREY))),
    "tif": lambda path: saved(path, Image.fromarray(wide(GREY))),
    "pgm": lambda path: path.write_bytes(b"P5 32 8 65535\n" + wide(GREY).astype(">u2").tobytes()),
    "12.tif": lambda path: tiff(path, (GREY.astype(int) * 4095 + 127) // 255, 12),
    "white_is_zero.tif": lambda path: tiff(path, 65535 - wide(GREY), 16, photometric=0),
    "float.tif": lambda path: saved(path, Image.fromarray(GREY.astype(np.float32) / 255)),
    "int.tif": lambda path: saved(path, Image.fromarray(wide(GREY).astype(np.int32))),
}


@pytest.mark.parametrize("kind", DEEP)
@pytest.mark.parametrize("channels", [1, 3])
def test_grey_of_many_bits_keeps_its_shades(tmp_path, kind, channels):
    DEEP[kind](path := tmp_path / f"a.{kind}")
    found = pixels(FilePath(path), channels).astype(int)
    assert np.abs(found - GREY[..., None]).max() <= 1


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.array([[-1, 70_000]], np.int32), "-1 to 70000, not from 0 to 65,535"),
        (np.array([[0, 255]], np.float32), "0 to 255, not from 0 to 1"),
        (np.array([[0, np.nan]], np.float32), "not from 0 to 1"),
    ],
)
def test_values_without_a_scale_are_refused(tmp_path, values, words):
    picture = saved(tmp_path / "a.tif", Image.fromarray(values))
    message = refused(read_picture, picture, 1)
    assert words in message
    assert str(picture) in message


# Transparent


def cut_out(mode: str, hidden: int) -> tuple[Image.Image, dict]:
    """A dark square in the middle of what is transparent, whose hidden colour is given."""
    grey = np.full((12, 12), hidden, np.uint8)
    grey[3:9, 3:9] = 50
    alpha = np.where(grey == 50, 255, 0).astype(np.uint8)
    layers = [Image.fromarray(each) for each in (grey, alpha)]
    if mode == "LA":
        return Image.merge("LA", layers), {}
    if mode == "RGBA":
        return Image.merge("RGBA", [layers[0]] * 3 + [layers[1]]), {}
    if mode == "P":
        return layers[0].convert("RGB").quantize(2), {"transparency": "hidden"}
    if mode == "I;16":
        return Image.fromarray(wide(grey)), {"transparency": hidden * 257}
    if mode == "L":
        return layers[0], {"transparency": hidden}
    return layers[0].convert("RGB"), {"transparency": (hidden,) * 3}


@pytest.mark.parametrize("mode", ["LA", "RGBA", "P", "L", "RGB", "I;16"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("on_white", [False, True])
def test_what_is_transparent_is_white_whatever_it_hides(tmp_path, mode, channels, on_white):
    for hidden in (0, 130, 255):
        picture, options = cut_out(mode, hidden)
        if mode == "P":
            options = {"transparency": picture.getpixel((0, 0))}
        path = saved(tmp_path / f"{hidden}.png", picture, **options)
        found = pixels(path, channels, on_white=on_white)
        assert (found[0] == 255).all()
        assert (found[5, 5] == 50).all()
        small = pixels(path, channels, size=4)
        assert np.array_equal(
            small, pixels(saved(tmp_path / "w.png", cut_out("LA", 255)[0]), channels, size=4)
        )


def test_half_transparent_is_half_white(tmp_path):
    picture = Image.new("RGBA", (4, 4), (100, 0, 0, 128))
    found = pixels(saved(tmp_path / "a.png", picture))[0, 0]
    assert found.tolist() == pytest.approx([177, 127, 127], abs=1)
    for ending in ("webp", "tif", "gif"):
        clear = saved(tmp_path / f"a.{ending}", Image.new("RGBA", (4, 4), (9, 9, 9, 0)))
        assert (pixels(clear) == 255).all(), ending


# Kinds of files


def test_of_many_frames_or_pages_the_first_is_read(tmp_path):
    others = [Image.new("RGB", (40, 24), color) for color in ("black", "white")]
    for ending in ("gif", "webp", "png", "tif", "tiff", "mpo"):
        picture = saved(tmp_path / f"a.{ending}", save_all=True, append_images=others)
        found = pixels(picture)
        assert picture_size(picture) == (40, 24)
        assert np.abs(found.astype(int) - np.array(scene())).mean() < 8, ending


def test_print_colours_and_palettes_are_colours(tmp_path):
    wanted = np.array(scene()).astype(int)
    for name, picture in {
        "cmyk.jpg": scene().convert("CMYK"),
        "cmyk.tif": scene().convert("CMYK"),
        "palette.png": scene().quantize(4),
        "palette.bmp": scene().quantize(4),
        "ycc.jpg": scene().convert("YCbCr"),
    }.items():
        options = {"quality": 95} if name.endswith("jpg") else {}
        assert np.abs(pixels(saved(tmp_path / name, picture, **options)) - wanted).mean() < 6, name
    assert set(np.unique(pixels(saved(tmp_path / "1.tif", scene().convert("1")), 1))) <= {0, 255}


def test_pictures_by_all_their_endings_in_any_case(tmp_path):
    endings = [
        "JPG",
        "Jpeg",
        "jpe",
        "jfif",
        "JIF",
        "jfi",
        "PNG",
        "tif",
        "TIFF",
        "Bmp",
        "webp",
        "GIF",
    ]
    formats = {"jif": "JPEG", "jfi": "JPEG"}
    for number, ending in enumerate(endings):
        content = io.BytesIO()
        form = formats.get(ending.lower()) or Image.registered_extensions()[f".{ending.lower()}"]
        scene().save(content, form)
        (tmp_path / f"{number}.{ending}").write_bytes(content.getvalue())
    found = pictures_in(tmp_path)
    assert [picture.path.suffix[1:] for picture in found] == endings
    for picture in found:
        assert read_picture(picture, 3, 8).shape == (3, 8, 8)


PHONE = {".heic": b"heic", ".heif": b"mif1", ".HIF": b"heix", ".avif": b"avif", ".jpg": b"heic"}


@pytest.mark.parametrize("ending", PHONE)
def test_a_phones_format_that_is_not_read_is_named(tmp_path, ending, monkeypatch):
    path = tmp_path / f"a{ending}"
    path.write_bytes(struct.pack(">I4s4s", 24, b"ftyp", PHONE[ending]) + bytes(500))
    assert pictures_in(tmp_path) == [FilePath(path)]
    monkeypatch.setattr(Image, "OPEN", {k: v for k, v in Image.OPEN.items() if k != "AVIF"})
    monkeypatch.setattr(Image, "ID", [name for name in Image.ID if name != "AVIF"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        message = refused(read_picture, FilePath(path), 3, 8)
    named = ".heic" if ending == ".jpg" else ending.lower()
    assert f"a{ending}: {named} is not read by this Pillow" in message
    assert "save it as JPEG or PNG" in message


@pytest.mark.skipif(not features.check("avif"), reason="Pillow without AVIF")
def test_avif_is_read_and_turned_where_pillow_can(tmp_path):
    picture = saved(tmp_path / "a.AVIF", exif=noted(6))
    assert picture_size(picture) == (24, 40)
    wanted = np.array(scene().transpose(Image.Transpose.ROTATE_270)).astype(int)
    assert np.abs(pixels(picture) - wanted).mean() < 8


def test_damage_anywhere_is_a_line(tmp_path):
    """Cut off, or bytes changed, in every format: read, or refused with the picture's name."""
    generator = np.random.default_rng(0)
    for ending in ("jpg", "png", "gif", "webp", "tif", "bmp"):
        content = (path := saved(tmp_path / f"a.{ending}", exif=noted(6)).path).read_bytes()
        for _ in range(40):
            damaged = bytearray(content)
            for place in generator.integers(4, len(content), 4):
                damaged[place] = generator.integers(256)
            path.write_bytes(damaged[: generator.integers(8, len(content) + 1)])
            try:
                read_picture(FilePath(path), 3, 8)
            except Exception:
                assert str(path) in refused(read_picture, FilePath(path), 3, 8)


def test_a_note_behind_the_pixels_of_a_png_is_left_alone(tmp_path):
    """As by browsers: the size by the header and the pixels have to agree."""
    picture = saved(tmp_path / "a.png")
    content, note = picture.path.read_bytes(), noted(6).tobytes().removeprefix(b"Exif\0\0")
    chunk = b"eXIf" + note
    chunk = struct.pack(">I", len(note)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    end = content.index(b"IEND") - 4
    picture.path.write_bytes(content[:end] + chunk + content[end:])
    assert picture_size(picture) == (40, 24)
    assert pixels(picture).shape == (24, 40, 3)
