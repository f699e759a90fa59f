"""RecordIO: records come back, and are read as mxnet writes them."""

import struct
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from datamodules.formats.record_io import MARK, packed, records, write_records
from tests.corpora.conftest import encoded

WORDS = st.sampled_from([MARK, b"\0" * 4, b"abcd", MARK[:2], b"x"])


CONTENTS = st.lists(WORDS, max_size=12).map(b"".join)


@given(st.lists(CONTENTS, max_size=6))
def test_records_come_back_with_the_magic_in_them_or_without(contents):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.rec"
        write_records(path, contents)
        found = list(records(path))
        assert [record.read() for record in found] == contents
        assert [record.number for record in found] == list(range(len(contents)))
        size = path.stat().st_size
        assert size % 4 == 0
        # As dmlc-core writes it: whole records are not parted, and the magic begins each part.
        words = path.read_bytes()
        marks = sum(words[at : at + 4] == MARK for at in range(0, size, 4))
        aligned = sum(
            content[at : at + 4] == MARK
            for content in contents
            for at in range(0, len(content) - 3, 4)
        )
        assert marks == len(contents) + aligned


def test_a_record_is_read_as_mxnet_writes_it(tmp_path):
    """Bytes laid out by hand, by the description in dmlc-core."""
    picture = encoded()
    header = struct.pack("<IfQQ", 9, 0.0, 7, 0)
    labels = struct.pack("<9f", 4, 5, 24, 16, 0, 0.25, 0.5, 0.75, 1)
    content = header + labels + picture
    padding = bytes(-len(content) % 4)
    single = struct.pack("<IfQQ", 0, 3.5, 8, 0) + picture
    parts = struct.pack("<II", 0xCED7230A, 1 << 29 | 4) + b"abcd"
    parts += struct.pack("<II", 0xCED7230A, 2 << 29 | 0)
    parts += struct.pack("<II", 0xCED7230A, 3 << 29 | 2) + b"ef\0\0"
    path = tmp_path / "a.rec"
    path.write_bytes(
        struct.pack("<II", 0xCED7230A, len(content)) + content + padding + parts
        + struct.pack("<II", 0xCED7230A, len(single)) + single
    )  # fmt: skip
    one, two, three = records(path)
    assert one.labels().tolist() == [4, 5, 24, 16, 0, 0.25, 0.5, 0.75, 1]
    assert one.open().read() == picture
    assert two.read() == b"abcd" + MARK + MARK + b"ef"
    assert three.labels().tolist() == [3.5]
    assert three.offset == 8 + len(content + padding + parts)
    assert packed([4, 5, 24, 16, 0, 0.25, 0.5, 0.75, 1], picture, 7) == content
