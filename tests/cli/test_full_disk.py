"""A disk that is full, or a folder that cannot be written: one line, and nothing else is lost."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from zoo.checkpoints.bundled import bundled
from zoo.cli.main import main
from zoo.files import written_whole
from zoo.runs import folder as run_folder

RECIPE = "softmax_regression-fashion_mnist"
QUICK = [
    *("--data.synthetic", "true", "--trainer.max_epochs", "1", "--trainer.accelerator", "cpu"),
    *("--trainer.enable_progress_bar", "false"),
]
RUN = Path("runs") / RECIPE / "1"
BLOCK = 4096  # bytes


@pytest.fixture
def disk(tmp_path):
    """Mounts a small disk; returns what leaves so many bytes of it free."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a disk")

    def leave(room):
        filler = place / "filler"
        filler.unlink(missing_ok=True)
        free = os.statvfs(place)
        filler.write_bytes(bytes(max(0, free.f_bavail * free.f_frsize - room)))
        return place

    yield leave
    subprocess.run(["umount", str(place)], check=True)


def one_line(capsys):
    captured = capsys.readouterr()
    (line,) = captured.err.strip().splitlines()
    assert line.startswith("zoo: ")
    assert "cannot be written" in line
    return captured.out


@pytest.mark.drawn
def test_pictures_that_cannot_be_written_cost_no_metrics(capsys):
    assert main(["fit", RECIPE, *QUICK]) == 0
    shutil.rmtree(RUN / "pictures")
    (RUN / "pictures").write_text("no folder")
    capsys.readouterr()
    assert main(["test", "--ckpt_path", str(RUN / "checkpoints" / "last.ckpt")]) == 0
    assert "test/accuracy" in one_line(capsys)
    assert (RUN / "test.json").is_file()


def test_a_test_on_a_full_disk_says_its_metrics_first(disk, capsys):
    assert main(["fit", RECIPE, *QUICK]) == 0
    run = disk(3_000_000) / "1"
    shutil.copytree(RUN, run)
    disk(0)
    capsys.readouterr()
    assert main(["test", "--ckpt_path", str(run / "checkpoints" / "last.ckpt")]) == 2
    assert "test/accuracy" in one_line(capsys)
    assert not (run / "test.json").exists()


@pytest.mark.parametrize("blocks", [0, 1, 3, 10, 30])
def test_a_run_on_a_full_disk_ends_in_one_line(blocks, disk, capsys):
    place = disk(blocks * BLOCK)
    code = main(["fit", RECIPE, *QUICK, "--runs", str(place / "runs")])
    assert code == 2
    one_line(capsys)
    assert not list(place.rglob(".*.partial"))


@pytest.mark.parametrize(
    ("kind", "suffix"), [("export", ".pt2"), ("onnx", ".onnx"), ("safetensors", ".safetensors")]
)
def test_an_export_to_a_full_disk_leaves_nothing(kind, suffix, disk, capsys):
    path = disk(2 * BLOCK) / f"model{suffix}"
    name = next(name for name in bundled() if name.startswith("lenet"))
    assert main(["export", name, "--format", kind, "--output", str(path)]) == 2
    one_line(capsys)
    assert [each.name for each in path.parent.iterdir()] == ["filler"]


def test_what_killed_runs_left_is_swept_by_the_next():
    left, written = (Path(f"runs/lenet/{n}/checkpoints/last.ckpt") for n in (1, 2))
    left.parent.mkdir(parents=True)
    partial = left.with_name(".last.ckpt.partial")
    partial.write_bytes(b"half")
    with written_whole(written) as other:
        other.write_bytes(b"whole")
        run_folder.create(Path("runs"), "lenet")
        run_folder.forget()
        assert other.exists()  # is being written, by another process say
    assert not partial.exists()
    assert written.read_bytes() == b"whole"
