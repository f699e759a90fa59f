"""Files are whole or absent: kills, full disks, and who says so."""

import json
import os
import signal
from pathlib import Path

import pytest
import yaml

from zoo.errors import InputError
from zoo.files import csv_text, numbered, parsed, write_csv, write_json, write_text, written_whole


def raises(error):
    def raised(*_):
        raise error

    return raised


def half_written(path, error):
    with written_whole(Path(path), "; do so") as partial:
        partial.write_text("half")
        if error:
            raise error


@pytest.mark.parametrize("place", ["write", "fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_no_other(place, monkeypatch):
    Path("a.txt").write_text("old")
    full = OSError(28, "No space left on device")
    if place == "fsync":
        monkeypatch.setattr(os, "fsync", raises(full))
    if place == "replace":
        monkeypatch.setattr(Path, "replace", raises(full))
    with pytest.raises(InputError, match=r"^a.txt: cannot be written \(No space left.*\); do so$"):
        half_written("a.txt", full if place == "write" else None)
    assert [(path.name, path.read_text()) for path in Path().iterdir()] == [("a.txt", "old")]


@pytest.mark.parametrize("error", [ValueError("no"), InputError("no"), KeyboardInterrupt()])
def test_any_other_error_is_raised_as_it_is_and_leaves_nothing(error):
    with pytest.raises(type(error)):
        half_written("new/deep/a.txt", error)
    assert not Path("new").exists()


def test_folders_that_were_there_stay_and_those_of_a_whole_file_too():
    Path("old").mkdir()
    with pytest.raises(KeyError), written_whole(Path("old/new/a.txt")):
        raise KeyError
    assert [path.name for path in Path().iterdir()] == ["old"]
    write_text(Path("old/new/a.txt"), "é\n")
    assert Path("old/new/a.txt").read_bytes() == "é\n".encode()


@pytest.mark.parametrize(
    ("path", "reason"), [("folder", "Is a directory"), ("file/a", "(File exists|Not a directory)")]
)
def test_what_cannot_be_a_file_is_said_before_it_is_written(path, reason):
    Path("folder").mkdir()
    Path("file").touch()
    begun = False
    with (
        pytest.raises(InputError, match=rf"^{path}: cannot be written \({reason}\)$"),
        written_whole(Path(path)),
    ):
        begun = True
    assert not begun


def test_a_killed_process_leaves_the_old_file_and_the_next_one_clears_up():
    write_text(Path("a.txt"), "old")
    child = os.fork()
    if not child:
        with written_whole(Path("a.txt")) as partial:
            partial.write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert Path("a.txt").read_text() == "old"
    assert Path(".a.txt.partial").read_text() == "half"
    write_json(Path("a.txt"), {"new": 1})
    assert {p.name: p.read_text() for p in Path().iterdir()} == {"a.txt": '{\n  "new": 1\n}\n'}


def test_the_file_is_synced_before_it_has_its_name_and_the_folder_after(monkeypatch):
    seen = []

    def synced(descriptor):
        target = Path(f"/proc/self/fd/{descriptor}").readlink()
        seen.append((target.name, Path("folder/a.csv").exists()))

    monkeypatch.setattr(os, "fsync", synced)
    write_csv(Path("folder/a.csv"), [["a", "b"], [1, None], ["é,", 2.5]])
    assert seen == [(".a.csv.partial", False), ("folder", True)]
    assert Path("folder/a.csv").read_bytes() == 'a,b\n1,\n"é,",2.5\n'.encode()


def test_a_folder_that_cannot_be_synced_is_no_error(monkeypatch):
    real = os.fsync

    def synced(descriptor):
        if Path(f"/proc/self/fd/{descriptor}").is_dir():
            raise OSError(22, "Invalid argument")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", synced)
    write_text(Path("a.txt"), "new")
    assert [path.name for path in Path().iterdir()] == ["a.txt"]


@pytest.mark.parametrize(
    ("content", "parse", "reason"),
    [
        (b"a: 1\nb: [", yaml.safe_load, "not YAML in line 2"),
        (b"{", json.loads, "Expecting property name .*"),
        (b"\xff", str, "'utf-8' codec .*"),
        (b"{}", lambda text: json.loads(text)["metrics"], "'metrics'"),
        (None, str, "No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_reason(content, parse, reason):
    if content is not None:
        Path("a.txt").write_bytes(content)
    with pytest.raises(InputError, match=rf"^a.txt: cannot be read \({reason}\)$"):
        parsed(Path("a.txt"), parse)


def test_the_first_free_number_is_made():
    Path("tune-1").mkdir()
    Path("tune-2").touch()
    assert numbered(Path("tune-{}"), Path.mkdir) == Path("tune-3")
    assert Path("tune-3").is_dir()
    assert numbered(Path("tune-{}"), Path.mkdir, first=7) == Path("tune-7")


def exchanged_for(other):
    with written_whole(Path("a.csv")) as partial:
        partial.unlink()
        partial.symlink_to(other)


def test_what_lies_under_the_temporary_name_is_not_followed():
    Path("other").write_text("mine")
    for link in (Path.symlink_to, Path.hardlink_to):
        link(Path(".a.csv.partial"), Path("other"))
        write_csv(Path("a.csv"), [["x"]])
        assert Path("other").read_text() == "mine"
        assert not Path("a.csv").is_symlink()
    with pytest.raises(InputError, match=r"a\.csv: cannot be written"):
        exchanged_for(Path("other"))
    assert Path("a.csv").read_text() == "x\n"
    assert sorted(path.name for path in Path().iterdir()) == ["a.csv", "other"]


def test_a_spreadsheet_takes_no_formula_out_of_csv():
    texts = ("=1+1", "+1+1", "-1+1", "@sum(a1)", "\t=1", "\r=1", "\n=1", "-a", '=cmd|"x"!a1')
    for text in texts:
        assert csv_text([["id", text]]).startswith(("id,'", "id,\"'"))
    for text in ("-1", "+1", "-0.5e-3", "-inf", "-", "a=1", "", "1", "-nan"):
        assert csv_text([["id", text]]) == f"id,{text}\n"
    assert csv_text([[-1, -0.5, None, ["="]]]) == "-1,-0.5,,['=']\n"
