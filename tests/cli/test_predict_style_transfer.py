"""Paintings as files: of a run, and of zoo predict."""

from pathlib import Path

import pytest
import torch
from PIL import Image

import zoo
from datamodules import StylePictures
from datamodules.files.file_paths import FilePath
from datamodules.pictures.reading import read_picture
from tests.architectures.conftest import JUDGE
from tests.conftest import fails, quiet_trainer
from zoo.cli.main import main
from zoo.pretrained.tapped_network import MEAN, STD
from zoo.style_transfer.fast_style import FastStyle
from zoo.style_transfer.pictures import as_bytes


@pytest.mark.drawn
def test_a_painting_is_written_as_it_comes_about_and_predicted(capsys):
    options = ["--model.features", JUDGE["features"], "--data.sizes", "[48, 64]"]
    options += ["--model.features_args.width_ratio", "0.0625", "--data.num_steps", "2"]
    assert main(["fit", "neural_style", *options, "--data.synthetic", "true"]) == 0
    assert "rainier.jpg in the style of autumn_oak.jpg" in capsys.readouterr().out
    run = Path("runs/neural_style-style_pair/1")
    written = sorted(path.name for path in (run / "pictures").iterdir())
    assert written == [*(f"epoch-{number:02}.png" for number in range(2, 21, 2)), "result.png"]
    with Image.open(run / "pictures" / "epoch-02.png") as early:
        assert early.size == (72, 48)
    best = str(run / "checkpoints" / "best.ckpt")
    assert main(["predict", "--ckpt_path", best, "--output", "again.png"]) == 0
    result = read_picture(FilePath(run / "pictures" / "result.png"), 3)
    assert result.shape == (3, 64, 96)
    assert torch.equal(read_picture(FilePath(Path("again.png")), 3), result)
    capsys.readouterr()
    assert "leave out a.png" in fails(capsys, "predict", "a.png", "--ckpt_path", best)


@pytest.fixture(scope="module")
def stylizer(tmp_path_factory):
    """A FastStyle that was trained for two steps, as a checkpoint."""
    torch.manual_seed(0)
    model = FastStyle(num_blocks=1, width_ratio=1 / 8, **JUDGE)
    corpus = StylePictures("CIFAR10", synthetic=True, size=32)
    trainer = quiet_trainer(max_steps=2, limit_val_batches=1)
    trainer.fit(model, corpus)
    path = tmp_path_factory.mktemp("stylizer") / "fast.ckpt"
    trainer.save_checkpoint(path)
    return path


def test_any_picture_is_painted_in_its_own_size(stylizer, capsys, tmp_path):
    generator = torch.Generator().manual_seed(0)
    folder = tmp_path / "pictures"
    folder.mkdir()
    for width, height in ((97, 50), (33, 64)):
        pixels = torch.randint(256, (height, width, 3), generator=generator, dtype=torch.uint8)
        Image.fromarray(pixels.numpy()).save(folder / f"{width}.png")
    assert main(["predict", str(folder / "97.png"), "--ckpt_path", str(stylizer)]) == 0
    assert main(["predict", str(folder), "--ckpt_path", str(stylizer), "--output", "all"]) == 0
    assert sorted(path.name for path in Path("all").iterdir()) == ["33.png", "97.png"]
    one, same = (read_picture(FilePath(Path(p)), 3) for p in ("predictions/1.png", "all/97.png"))
    assert one.shape == (3, 50, 97)
    assert torch.equal(one, same)
    pixels = read_picture(FilePath(folder / "97.png"), 3)[None] / 255
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (MEAN, STD))
    with torch.inference_mode():
        wanted = as_bytes(zoo.load(stylizer)((pixels - mean) / std))[0]
    assert (one.int() - wanted.int()).abs().max() <= 1
    capsys.readouterr()
    (folder / "text.png").write_text("no picture")
    Image.new("RGB", (200, 20)).save(folder / "thin.png")
    Path("file").touch()
    for argument, said in (
        (None, "name the pictures"),
        ("none.png", "none.png: cannot be read"),
        (str(folder / "text.png"), "not a picture"),
        (str(folder / "thin.png"), "200 x 20 pixels; a side has to have 32"),
    ):
        arguments = [argument] if argument else []
        assert said in fails(capsys, "predict", *arguments, "--ckpt_path", str(stylizer))
    good = str(folder / "97.png")
    line = fails(capsys, "predict", good, "--ckpt_path", str(stylizer), "--output", "file/a.png")
    assert "file/a.png: cannot be written" in line
