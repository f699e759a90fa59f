"""zoo predict of a generator: pictures, points, arcs; bad options."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.conftest import fails
from zoo.cli.main import main
from zoo.cli.predict.generation import interpolated
from zoo.errors import InputError
from zoo.pretrained.feature_network import FeatureNetwork


def fit(capsys, recipe, *options):
    small = [
        *("--data.synthetic", "true", "--trainer.accelerator", "cpu"),
        *("--trainer.max_epochs", "3", "--trainer.limit_train_batches", "2"),
        *("--trainer.limit_val_batches", "1"),
    ]
    assert main(["fit", recipe, *small, *options]) == 0
    capsys.readouterr()
    return Path(f"runs/{recipe}/1")


PLATEAU = ("--model.lr_scheduler", "lightning.pytorch.cli.ReduceLROnPlateau")


NARROW = ("--model.width_ratio", "0.0625", "--data.batch_size", "8")


@pytest.mark.drawn
def test_pictures_are_drawn_from_a_checkpoint(capsys):
    run = fit(capsys, "dcgan-fashion_mnist", *NARROW, "--model.conditional", "true")
    with Image.open(run / "pictures" / "samples.gif") as film:
        assert film.n_frames == 3
    frames = sorted((run / "pictures" / "samples").glob("*.png"))
    assert [frame.name for frame in frames] == ["0001.png", "0002.png", "0003.png"]
    newest = (run / "pictures" / "train_samples.png").read_bytes()
    assert frames[-1].read_bytes() == newest
    ask = ["predict", "--ckpt_path", str(run / "checkpoints" / "last.ckpt")]
    for name, options in {
        "a.png": ["--num", "12"],
        "b.png": ["--num", "12", "--seed", "0"],
        "c.png": ["--num", "12", "--seed", "1"],
        "d.png": ["--num", "12", "--interpolate"],
    }.items():
        assert main([*ask, *options, "--output", name]) == 0
        assert capsys.readouterr().out == f"written: {name}\n"
    a, b, c, d = (Path(f"{name}.png").read_bytes() for name in "abcd")
    assert a == b
    assert a not in (c, d)
    sizes = [Image.open(f"{name}.png").size for name in "ad"]
    wide, high = sizes[0]
    assert wide / high == pytest.approx((10 * 30 + 2) / (2 * 30 + 2), rel=0.05)
    wide, high = sizes[1]
    assert wide / high == pytest.approx((8 * 30 + 2) / (2 * 30 + 2), rel=0.05)


def test_points_are_drawn_from_a_checkpoint(capsys):
    run = fit(capsys, "gan-gaussian2d")
    path = str(run / "checkpoints" / "last.ckpt")
    assert main(["predict", "--ckpt_path", path]) == 0
    assert "written: predictions/1.png" in capsys.readouterr().out
    ask = ["predict", "--ckpt_path", path]
    assert "no grid of points" in fails(capsys, *ask, "--interpolate")
    assert "num is 0" in fails(capsys, *ask, "--num", "0")
    assert "not x.png" in fails(capsys, *ask, "x.png")
    assert "--prompt is not for that" in fails(capsys, *ask, "--prompt", "x")
    Path("file").write_text("")
    assert "file/x.png: cannot be written" in fails(capsys, *ask, "--output", "file/x.png")
    assert main(["validate", *ask[1:]]) == 0
    assert "val/mean_error" in capsys.readouterr().out


def test_arcs_keep_the_length_of_noise():
    torch.manual_seed(0)
    start, end = torch.randn(3, 100), torch.randn(3, 100)
    arcs = interpolated(start, end, 5).view(3, 5, 100)
    torch.testing.assert_close(arcs[:, 0], start)
    torch.testing.assert_close(arcs[:, -1], end)
    middle = arcs[:, 2].norm(dim=1) / ((start.norm(dim=1) + end.norm(dim=1)) / 2)
    assert (middle - 1).abs().max() < 0.05


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--trainer.gradient_clip_val", "1"], "clip by --model.gradient_clip_val"),
        (["--trainer.accumulate_grad_batches", "2"], "accumulate by --model.micro_batch_size"),
        (["--data.scale", "standard"], "--data.scale symmetric"),
        (["--data.resize", "30"], "28, 32, 64 or 128 pixels, not 30"),
        (["--data.resize", "8"], "28, 32, 64 or 128 pixels, not 8"),
        (["--model.feature_network", "gone.ckpt"], "gone.ckpt: there is no such checkpoint"),
        (["--model.ema_decay", "1"], "ema_decay must be in [0, 1), not 1"),
        (["--model.discriminator_steps", "0"], "discriminator_steps has to be 1 or more, not 0"),
        ([*PLATEAU, "--model.lr_scheduler.monitor", "val/loss"], "take another schedule"),
        (["--model.optimizer", "LBFGS"], "LBFGS is for one network"),
    ],
)
def test_bad_options_are_told_in_one_line(options, words, capsys):
    small = ["--data.synthetic", "true", "--trainer.accelerator", "cpu", *NARROW]
    assert words in fails(capsys, "fit", "dcgan-fashion_mnist", *small, *options)


def test_a_checkpoint_of_something_else_has_no_features(capsys):
    run = fit(capsys, "gan-gaussian2d")
    path = str(run / "checkpoints" / "last.ckpt")
    with pytest.raises(InputError, match="not an image classifier"):
        FeatureNetwork(path)
