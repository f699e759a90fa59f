"""Checkpoints that are damaged, of another class or of foreign code; pictures that are none."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.cli.conftest import QUICK, RECIPE
from tests.conftest import fails
from zoo.checkpoints.checkpoint import read
from zoo.errors import InputError


def damaged(path: Path, how: str) -> Path:
    content = path.read_bytes()
    target = Path(f"{how}.ckpt")
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 4
    target.write_bytes(
        {"empty": b"", "cut": content[:-1000], "flipped": bytes(flipped), "text": b"hello"}[how]
    )
    return target


@pytest.mark.parametrize("how", ["empty", "cut", "flipped", "text"])
@pytest.mark.parametrize("verb", ["fit", "test", "validate", "predict"])
def test_a_bad_checkpoint_is_named(trained, how, verb, capsys):
    path = damaged(trained / "checkpoints" / "best.ckpt", how)
    arguments = {"fit": [RECIPE], "predict": ["x.png"]}.get(verb, [])
    assert str(path) in fails(capsys, verb, *arguments, "--ckpt_path", str(path))


def test_a_flip_of_any_byte_is_refused_or_harmless(trained, tmp_path):

    content = (trained / "checkpoints" / "best.ckpt").read_bytes()
    whole = read(trained / "checkpoints" / "best.ckpt")["state_dict"]
    refused = 0
    for position in range(0, len(content), len(content) // 200):
        flipped = bytearray(content)
        flipped[position] ^= 1 << (position % 8)
        path = tmp_path / "flipped.ckpt"
        path.write_bytes(flipped)
        try:
            state = read(path)["state_dict"]
        except InputError as error:
            refused += "\n" not in str(error)
        else:
            assert all(torch.equal(state[name], whole[name]) for name in whole)
    assert refused > 150


def test_a_checkpoint_of_another_class_is_refused(trained, capsys):
    path = str(trained / "checkpoints" / "best.ckpt")
    line = fails(capsys, "fit", "lenet-fashion_mnist", "--ckpt_path", path)
    assert "a checkpoint of SoftmaxRegression, not of LeNet" in line
    line = fails(capsys, "test", "--model", "LeNet", "--ckpt_path", path)
    assert "not of LeNet" in line


def test_a_checkpoint_of_another_size_is_refused(trained, capsys):
    path = str(trained / "checkpoints" / "best.ckpt")
    line = fails(capsys, "fit", RECIPE, *QUICK, "--data.resize", "32", "--ckpt_path", path)
    assert "do not fit this SoftmaxRegression: size mismatch for linear.weight" in line


def test_a_checkpoint_with_code_is_not_run(tmp_path, capsys):
    class Payload:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"zoo": {}, "state_dict": Payload()}, "code.ckpt")
    assert "more than plain data" in fails(capsys, "test", "--ckpt_path", "code.ckpt")
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_of_foreign_code_is_not_imported(trained, tmp_path, monkeypatch, capsys):
    (tmp_path / "foreign.py").write_text("open('ran', 'w')\nclass Net: pass")
    monkeypatch.syspath_prepend(tmp_path)
    checkpoint = torch.load(trained / "checkpoints" / "best.ckpt", weights_only=True)
    checkpoint["zoo"]["class_path"] = "foreign.Net"
    torch.save(checkpoint, "foreign.ckpt")
    for verb, rest in (("test", []), ("predict", ["x.png"])):
        line = fails(capsys, verb, *rest, "--ckpt_path", "foreign.ckpt")
        assert "foreign.Net is not of the zoo" in line
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "words"), [(b"", "not a picture"), (b"hello", "not a picture"), (None, "No such")]
)
def test_predict_names_what_is_no_picture(trained, content, words, capsys):
    if content is not None:
        Path("x.png").write_bytes(content)
    path = str(trained / "checkpoints" / "best.ckpt")
    line = fails(capsys, "predict", "--ckpt_path", path, "x.png")
    assert "x.png" in line
    assert words in line


def test_predict_refuses_a_cut_and_a_huge_picture(trained, capsys):
    path = str(trained / "checkpoints" / "best.ckpt")
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    Image.fromarray(noise).save("cut.png")
    Path("cut.png").write_bytes(Path("cut.png").read_bytes()[:2000])
    assert "cut.png" in fails(capsys, "predict", "--ckpt_path", path, "cut.png")
    Image.new("1", (6000, 5000)).save("huge.png")
    assert "6000 x 5000" in fails(capsys, "predict", "--ckpt_path", path, "huge.png")
