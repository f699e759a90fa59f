"""Picture files as rows: decoded alike from a folder and a zip; what is wrong is named."""

import io
import random
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules.batches.in_memory import InMemory, Rows
from datamodules.files.file_paths import FilePath, read_file
from datamodules.pictures.reading import read_picture
from datamodules.pictures.rows import PictureRows, pictures_in
from datamodules.pictures.to_predict import PictureFiles
from tests.conftest import refused


def encoded(pixels: np.ndarray, form: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "pictures"
    place.mkdir()
    for number in (1, 2, 9, 10):
        (place / f"{number}.png").write_bytes(encoded(noise(8, 8, number)))
    return place


def zipped(path, members: dict[str, bytes], method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def read_all(pictures, size=8, **options):
    labels = torch.arange(len(pictures))
    return PictureRows(pictures, labels, channels=3, size=size, **options)


def test_folder_and_zip_give_the_same_rows(folder, tmp_path):
    members = {f"deep/{path.name}": path.read_bytes() for path in folder.iterdir()}
    archive = zipped(tmp_path / "a.zip", {**members, "__MACOSX/._1.png": b"", "notes.txt": b"x"})
    names = [picture.name for picture in pictures_in(folder)]
    assert names == ["1", "2", "9", "10"]
    assert [picture.name for picture in pictures_in(archive)] == names
    assert {picture.folder for picture in pictures_in(archive)} == {"deep"}
    from_folder = read_all(pictures_in(folder)).to("cpu").tensors[0]
    from_zip = read_all(pictures_in(archive)).to("cpu").tensors[0]
    assert torch.equal(from_folder, from_zip)
    assert torch.equal(from_folder[3].movedim(0, -1), torch.from_numpy(noise(8, 8, 10)))


def test_a_place_within_a_zip(tmp_path):
    picture = encoded(noise(4, 4))
    archive = zipped(
        tmp_path / "a.zip", {"test/1.png": picture, "tests/2.png": picture, "c.csv": b"a,b\n"}
    )
    inside = tmp_path / "a.zip!"
    assert [str(picture) for picture in pictures_in(inside / "test")] == [f"{archive}!test/1.png"]
    assert len(pictures_in(inside)) == 2
    assert pictures_in(inside / "none") == []
    assert read_file(inside / "c.csv") == b"a,b\n"
    assert "no such member" in refused(read_file, inside / "d.csv")
    assert "No such file" in refused(read_file, tmp_path / "d.csv")
    corpus = PictureFiles([str(inside / "test")], ["a"], [0.5] * 3, [0.5] * 3, size=4)
    assert len(corpus.rows) == 1


def test_rows_are_the_same_at_once_and_by_the_batch(folder):
    rows = read_all(pictures_in(folder), keyed=True)
    kept = rows.kept()
    assert isinstance(kept, InMemory)
    wanted = Rows(3, torch.tensor([2, 0]))
    for one, other in zip(rows[wanted], kept[wanted], strict=True):
        assert torch.equal(one, other)
    assert len(rows) == len(kept) == 4


def test_what_does_not_fit_into_memory_stays_on_the_disk(folder, monkeypatch):
    rows = read_all(pictures_in(folder))
    monkeypatch.setattr("datamodules.pictures.rows.IN_MEMORY", 4 * 3 * 8 * 8 - 1)
    assert rows.kept() is rows


def test_the_middle_square_is_kept(tmp_path):
    path = tmp_path / "wide.png"
    pixels = noise(6, 10)
    path.write_bytes(encoded(pixels))
    middle = read_picture(FilePath(path), 3, 6).movedim(0, -1)
    assert torch.equal(middle, torch.from_numpy(pixels[:, 2:8].copy()))
    assert read_picture(FilePath(path), 3, 4).shape == (3, 4, 4)
    assert read_picture(FilePath(path), 1, 4).shape == (1, 4, 4)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_every_mode_becomes_colour(tmp_path, mode):
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    Image.new(mode, (5, 5), 0).save(path)
    assert read_picture(FilePath(path), 3, 4).shape == (3, 4, 4)


def large_png() -> bytes:
    """100 million pixels in 100 kB."""
    file = io.BytesIO()
    Image.new("1", (10_000, 10_000)).save(file, "PNG")
    return file.getvalue()


JPEG = encoded(noise(64, 64), "JPEG", quality=95)
BAD = {
    "no picture": (b"hello" * 50, "not a picture"),
    "empty": (b"", "not a picture"),
    "cut JPEG": (JPEG[: len(JPEG) // 2], "truncated"),
    "cut PNG": (encoded(noise(64, 64))[:3000], "truncated"),
    "too large": (large_png(), "10000 x 10000 pixels are too many"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_named(tmp_path, kind):
    content, words = BAD[kind]
    path = tmp_path / "bad.jpg"
    path.write_bytes(content)
    archive = zipped(tmp_path / "a.zip", {"x/bad.jpg": content}, zipfile.ZIP_DEFLATED)
    for picture in (FilePath(path), FilePath(archive, "x/bad.jpg")):
        message = refused(read_picture, picture, 3, 8)
        assert str(picture) in message
        assert words in message


def test_a_missing_file_or_member_is_named(folder, tmp_path):
    archive = zipped(tmp_path / "a.zip", {"1.png": encoded(noise(4, 4))})
    message = refused(read_picture, FilePath(folder / "7.png"), 3, 8)
    assert "7.png: cannot be read (No such file" in message
    assert "no such member" in refused(read_picture, FilePath(archive, "7.png"), 3, 8)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_member_is_named(tmp_path, method):
    # A JPEG decodes in spite of most damage: what notices is the checksum.
    members = {"x/a.jpg": JPEG, "x/b.jpg": encoded(noise(64, 64, 1), "JPEG")}
    whole = zipped(tmp_path / "a.zip", members, method).read_bytes()
    start = whole.index(b"x/a.jpg") + len("x/a.jpg")
    generator = random.Random(0)
    for number in range(20):
        bits = bytearray(whole)
        bits[start + generator.randrange(len(JPEG) * 9 // 10)] ^= 1 << generator.randrange(8)
        path = tmp_path / f"{number}.zip"
        path.write_bytes(bits)
        assert f"{path}!x/a.jpg: " in refused(read_picture, FilePath(path, "x/a.jpg"), 3, 8)
        assert read_picture(FilePath(path, "x/b.jpg"), 3, 8).shape == (3, 8, 8)


def test_an_encrypted_member_is_named(tmp_path):
    path = zipped(tmp_path / "a.zip", {"a.jpg": JPEG})
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    assert "encrypted" in refused(read_picture, FilePath(path, "a.jpg"), 3, 8)


def test_a_member_that_would_fill_the_memory_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("datamodules.files.file_paths.MOST_BYTES", len(JPEG) - 1)
    path = zipped(tmp_path / "a.zip", {"a.jpg": JPEG})
    assert "has over" in refused(read_picture, FilePath(path, "a.jpg"), 3, 8)


@pytest.mark.parametrize("content", [None, b"", b"PK\3\4 and nothing"])
def test_an_unreadable_zip_is_named(tmp_path, content):
    path = tmp_path / "a.zip"
    if content is not None:
        path.write_bytes(content)
    assert str(path) in refused(pictures_in, path)


def test_a_stamp_changes_with_the_picture(folder, tmp_path):
    path = folder / "1.png"
    before = FilePath(path).stamp
    path.write_bytes(encoded(noise(9, 9)))
    assert FilePath(path).stamp != before
    stamps = {
        FilePath(
            zipped(tmp_path / f"{seed}.zip", {"a.bmp": encoded(noise(8, 8, seed), "BMP")}), "a.bmp"
        ).stamp
        for seed in (0, 0, 1)
    }
    assert len(stamps) == 2


def test_many_pictures_are_decoded_when_they_are_first_drawn(folder, monkeypatch):
    monkeypatch.setattr("datamodules.pictures.rows.AT_ONCE", 3)
    rows = PictureRows(pictures_in(folder), torch.arange(4), 3, 8, keyed=True)
    kept, whole = rows.kept(), rows.to("cpu")
    assert rows.kept(num_workers=2) is rows
    (folder / "10.png").write_bytes(b"broken")
    for epoch, indices in enumerate(([2, 0], [0, 2, 1])):
        wanted = Rows(epoch, torch.tensor(indices))
        for one, other in zip(kept[wanted], whole[wanted], strict=True):
            assert torch.equal(one, other)
        (folder / "1.png").unlink(missing_ok=True)  # it is not read again
    assert "10.png: not a picture" in refused(lambda: kept[Rows(0, torch.tensor([3]))])


def test_links_are_followed_but_not_in_circles(folder, tmp_path):
    (folder / "again").symlink_to(folder, target_is_directory=True)
    other = tmp_path / "other"
    other.mkdir()
    (other / "3.png").write_bytes(encoded(noise(8, 8)))
    (folder / "linked").symlink_to(other, target_is_directory=True)
    (folder / "lost.png").symlink_to(tmp_path / "nowhere")
    names = [str(each.path.relative_to(folder)) for each in pictures_in(folder)]
    assert names == ["1.png", "2.png", "9.png", "10.png", "linked/3.png"]
