"""Style transfer: losses against their equations, what learns, sizes, resuming."""

import math
from functools import partial
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from torch import nn
from torch.optim import LBFGS, SGD, Adam
from torch.optim.lr_scheduler import OneCycleLR, StepLR
from torchvision.models import get_model_weights

from datamodules import StylePair, StylePictures
from datamodules.style_pair import SizesInTurn
from tests.architectures.conftest import JUDGE
from tests.conftest import drawn, quiet_trainer
from zoo.cli.main import main
from zoo.errors import InputError
from zoo.style_transfer.fast_style import FastStyle
from zoo.style_transfer.losses import content_loss, gram, style_loss, total_variation
from zoo.style_transfer.neural_style import NeuralStyle

SIZES, STEPS, EPOCHS = [[48, 72], [64, 96]], 3, 2


def pair(**options):
    return StylePair(
        **{"synthetic": True, "sizes": [h for h, _ in SIZES], "num_steps": STEPS, **options}
    )


def painter(**options):
    torch.manual_seed(0)
    given = {"optimizer": partial(Adam, lr=0.05), **JUDGE, **options}
    return NeuralStyle(**{"image_sizes": SIZES, **given})


def paint(model, corpus=None, ckpt_path=None, callbacks=(), **options):
    trainer = quiet_trainer(**{"max_epochs": EPOCHS, **options}, callbacks=[*callbacks])
    trainer.fit(model, corpus or pair(), ckpt_path=ckpt_path)
    return trainer


class Notes(Callback):
    """The losses, the learning rates and the paintings of a run, step by step."""

    def __init__(self, folder=None):
        self.losses, self.rates, self.sizes, self.before, self.folder = [], [], [], [], folder

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.sizes.append(batch[0].shape[2])
        self.before.append([p.detach().clone() for p in pl_module.parameters()])

    def on_before_zero_grad(self, trainer, pl_module, optimizer):
        self.rates.append(optimizer.param_groups[0]["lr"])

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.losses.append(outputs["loss"].item())
        if self.folder:
            trainer.save_checkpoint(self.folder / f"{trainer.global_step}.ckpt")


# Losses


def test_gram_is_that_of_the_equation():
    maps = drawn(2, 3, 4, 5)
    found = gram(maps)
    for row, i, j in ((r, i, j) for r in range(2) for i in range(3) for j in range(3)):
        wanted = sum(
            maps[row, i, y, x] * maps[row, j, y, x] / (3 * 4 * 5)
            for y in range(4)
            for x in range(5)
        )
        assert found[row, i, j].item() == pytest.approx(wanted.item(), abs=1e-14)
    assert found.dtype == torch.float64
    assert gram(maps.bfloat16()).dtype == torch.float32


def test_losses_are_those_of_the_equations():
    maps, others = ([drawn(1, c, 4, 5, seed=s + c) for c in (2, 3)] for s in (0, 10))
    wanted = sum(((a - b) ** 2).sum() / a.numel() for a, b in zip(maps, others, strict=True))
    torch.testing.assert_close(content_loss(maps, others), wanted)
    wanted = 0.0
    for a, b in zip(maps, others, strict=True):
        c = a.shape[1]
        one, two = ((m.reshape(c, 20) @ m.reshape(c, 20).T) / (c * 20) for m in (a, b))
        wanted += ((one - two) ** 2).sum() / c**2
    torch.testing.assert_close(style_loss(maps, [gram(b) for b in others]), wanted)


def test_total_variation_is_the_courses():
    picture = torch.tensor([[[[0.0, 1, 3], [2, 2, 2]]]], dtype=torch.float64).expand(1, 3, 2, 3)
    down, across = (2 + 1 + 1) / 3, (1 + 2 + 0 + 0) / 4
    assert total_variation(picture).item() == pytest.approx(0.5 * (down + across))


def test_the_parts_of_the_loss_are_weighted_and_add_up():
    contents, style = drawn(2, 3, 48, 72, dtype=None), drawn(1, 3, 50, 60, seed=1, dtype=None)
    plain, twice = (painter(content_weight=w, style_weight=w, tv_weight=w) for w in (1.0, 2.0))
    twice._network = [plain.network(contents)]
    twice.style_layers, twice.content_layers = plain.style_layers, plain.content_layers
    one, two = (model.step((contents, style)) for model in (plain, twice))
    torch.testing.assert_close(sum(one.sums.values()), one.loss.detach() * 2)
    for name, value in one.sums.items():
        torch.testing.assert_close(two.sums[name], 2 * value)


# What learns


def test_only_the_picture_learns():
    model, corpus = painter(), pair()
    corpus.prepare_data()
    corpus.setup("fit")
    contents, style = corpus.rows[0]
    given = contents.clone(), style.clone()
    model.step((contents, style)).loss.backward()
    network = model.network(contents)
    assert not any(p.requires_grad or p.grad is not None for p in network.parameters())
    assert not network.training
    assert contents.grad is None
    assert style.grad is None
    assert [p.grad is not None for p in model.parameters()] == [True, False]
    assert [name for name, _ in model.named_parameters()] == [
        "paintings.0.pixels",
        "paintings.1.pixels",
    ]
    trainer = paint(model)
    first = trainer.datamodule.rows[0]
    for before, after in zip(given, first, strict=True):  # not the memory of what is painted
        assert torch.equal(before, after)
    assert not torch.equal(model.paintings[0].pixels, first[0])


def test_targets_are_computed_once_for_each_size():
    calls = []
    model = painter()
    network = model.network(torch.empty(0))
    network.register_forward_hook(lambda *call: calls.append(tuple(call[1][0].shape[2:])))
    paint(model)
    assert sorted(set(calls)) == [(48, 66), (48, 72), (64, 88), (64, 96)]
    assert [calls.count(size) for size in ((48, 66), (64, 88))] == [1, 1]
    assert [calls.count(size) for size in ((48, 72), (64, 96))] == [STEPS + 1, STEPS + 1]


def test_each_size_begins_from_the_one_before_and_anew():
    notes = Notes()
    schedule = partial(StepLR, step_size=2, gamma=0.1)
    model = painter(lr_scheduler=schedule, schedule_interval="step")
    trainer = paint(model, callbacks=[notes])
    assert notes.sizes == [48] * STEPS + [64] * STEPS
    assert notes.rates == pytest.approx([0.05, 0.05, 0.005] * 2)
    small = notes.before[STEPS][0]
    enlarged = nn.functional.interpolate(small, size=(64, 96), mode="bilinear")
    moved = (model.paintings[1].pixels - enlarged).abs().max()
    assert 0 < moved < 3 * 0.05 + 1e-3  # Adam's steps
    assert torch.equal(model.paintings[0].pixels, small)  # not touched any more
    assert torch.equal(model.painting, model.paintings[1].pixels)
    assert trainer.optimizers[0].state[model.paintings[1].pixels]["step"] == STEPS


def test_a_schedule_with_a_length_gets_that_of_a_size():
    notes = Notes()
    schedule = partial(OneCycleLR, max_lr=0.1, total_steps=None)
    paint(painter(lr_scheduler=schedule, schedule_interval="step"), callbacks=[notes])
    assert notes.rates[:STEPS] == notes.rates[STEPS:]
    assert len(set(notes.rates)) == STEPS


def test_noise_or_the_content_is_begun_from():
    for start in ("noise", "content"):
        notes = Notes()
        model = painter(start=start, optimizer=partial(SGD, lr=0.0))
        trainer = paint(model, callbacks=[notes])
        same = torch.equal(model.paintings[0].pixels, trainer.datamodule.rows[0][0])
        assert same == (start == "content")


def test_sizes_share_the_run():
    corpus = pair(num_steps=4)
    assert [*SizesInTurn(corpus)] == [0, 0, 1, 1]
    for options, wanted in (
        ({"max_epochs": 3}, [48] * 6 + [64] * 6),
        ({"max_epochs": -1, "max_steps": 6}, [48] * 3 + [64] * 3),
        ({"max_epochs": 2, "limit_train_batches": 3}, [48] * 3 + [64] * 3),
    ):
        notes = Notes()
        paint(painter(), pair(num_steps=4), callbacks=[notes], **options)
        assert notes.sizes == wanted


def test_lbfgs_paints_and_not_in_half_precision():
    notes = Notes()
    optimizer = partial(LBFGS, line_search_fn="strong_wolfe")
    paint(painter(optimizer=optimizer), pair(sizes=(48,)), callbacks=[notes], max_epochs=3)
    assert notes.losses[-1] < notes.losses[0] / 2
    with pytest.raises(InputError, match="fp16"):
        paint(painter(optimizer=optimizer), precision="16-true")


@pytest.mark.parametrize("precision", ["bf16-mixed", "64-true"])
def test_other_precisions(precision):
    notes = Notes()
    model = painter()
    paint(model, callbacks=[notes], precision=precision)
    assert all(map(math.isfinite, notes.losses))
    assert model.painting.dtype == (torch.float64 if precision == "64-true" else torch.float32)


@pytest.mark.parametrize("optimizer", [partial(Adam, lr=0.05), partial(LBFGS, max_iter=3)])
def test_a_run_goes_on_as_if_it_had_not_been_stopped(optimizer, tmp_path):
    schedule = partial(StepLR, step_size=2, gamma=0.1)
    options = {"optimizer": optimizer, "lr_scheduler": schedule, "schedule_interval": "step"}
    notes, model = Notes(tmp_path), painter(**options)
    paint(model, callbacks=[notes])
    for step in range(1, EPOCHS * STEPS):
        rest, resumed = Notes(), painter(**options)
        paint(resumed, ckpt_path=tmp_path / f"{step}.ckpt", callbacks=[rest])
        assert rest.losses == notes.losses[step:], step
        for name, value in model.state_dict().items():
            assert torch.equal(resumed.state_dict()[name], value), (step, name)


def test_a_run_goes_on_by_the_same_features_alone(torchvision_19, tmp_path):
    trainer = paint(painter(), pair(sizes=(48, 64)), max_steps=1)
    trainer.save_checkpoint(tmp_path / "drawn.ckpt")
    other = painter(features=str(torchvision_19[1]), features_args=None)
    with pytest.raises(InputError, match="begun by other features"):
        paint(other, ckpt_path=tmp_path / "drawn.ckpt")
    trainer = paint(other, max_steps=1)
    trainer.save_checkpoint(tmp_path / "file.ckpt")
    checkpoint = torch.load(tmp_path / "file.ckpt", weights_only=True)
    assert checkpoint["hyper_parameters"]["features"] == "vgg19.pth"
    assert checkpoint["zoo"]["features"]["file"] == "vgg19.pth"
    assert {name.partition(".")[0] for name in checkpoint["state_dict"]} == {"paintings", "begun"}


def test_a_stylizer_paints_sides_of_any_length():
    model = FastStyle(num_blocks=1, width_ratio=1 / 8, **JUDGE).eval()
    with torch.no_grad():
        for height, width in ((8, 8), (9, 31), (50, 97), (64, 64)):
            assert model(torch.zeros(1, 3, height, width)).shape == (1, 3, height, width)
    with pytest.raises(InputError, match="8 pixels a side"):
        model(torch.zeros(1, 3, 7, 64))


def test_a_stylizer_learns_and_is_measured():
    torch.manual_seed(0)
    model = FastStyle(num_blocks=1, width_ratio=1 / 4, optimizer=partial(Adam, lr=0.01), **JUDGE)
    corpus = StylePictures("CIFAR10", synthetic=True, size=32, batch_size=8)
    trainer = quiet_trainer(max_epochs=1, limit_train_batches=30, limit_val_batches=2)
    (before,) = trainer.validate(model, corpus, verbose=False)
    trainer.fit(model, corpus)
    (after,) = trainer.validate(model, corpus, verbose=False)
    assert after["val/loss"] < before["val/loss"] / 2
    parts = [after[f"val/{name}"] for name in FastStyle.metric_names]
    assert sum(parts) == pytest.approx(after["val/loss"], rel=1e-5)


def test_bad_arguments_are_refused_in_one_line(monkeypatch):
    for options, said in (
        ({"style_weight": -1.0}, "negative"),
        ({"content_weight": 0.0, "style_weight": 0.0, "tv_weight": 0.0}, "all 0"),
        ({"style_layers": []}, "one at least"),
        ({"image_sizes": []}, "no size"),
    ):
        with pytest.raises(InputError, match=said):
            painter(**options)
    with pytest.raises(InputError, match="image_sizes are"):
        painter()(torch.zeros(1, 3, 50, 50))
    monkeypatch.setattr(Trainer, "world_size", property(lambda self: 2))
    with pytest.raises(InputError, match="one process"):
        paint(painter())


@pytest.mark.real
@pytest.mark.slow
def test_each_loss_falls_by_ten_times_by_a_network_that_the_zoo_trained(real_data):
    """From noise, at 150 x 225."""
    options = ["--data.root", str(real_data), "--trainer.max_epochs", "2"]
    assert main(["fit", "resnet_small-cifar10", *options]) == 0
    corpus, notes = StylePair(root=real_data, sizes=(150,)), []
    torch.manual_seed(0)
    model = NeuralStyle(
        image_sizes=corpus.image_sizes,
        features="runs/resnet_small-cifar10/1/checkpoints/best.ckpt",
        start="noise",
        content_weight=12.0,
        style_weight=7000.0,
        tv_weight=50.0,
        optimizer=partial(Adam, lr=0.1),
    )
    corpus.setup("fit")
    notes.append(model.step(corpus.rows[0]).sums)
    paint(model, corpus, max_epochs=6)
    notes.append(model.step(corpus.rows[0]).sums)
    for name, value in notes[0].items():
        assert notes[1][name] < value / 10, name


@pytest.mark.real
@pytest.mark.slow
def test_losses_are_the_courses_by_vgg19(real_data):
    name = get_model_weights("vgg19")["DEFAULT"].url.rpartition("/")[2]
    path = Path(torch.hub.get_dir(), "checkpoints", name)
    if not path.is_file():
        pytest.skip(f"the weights of VGG-19 are not here: put {name} into {path.parent}")
    corpus = StylePair(root=real_data, sizes=(150,))
    model = NeuralStyle(
        image_sizes=corpus.image_sizes,
        optimizer=partial(Adam, lr=0.01),
        lr_scheduler=partial(StepLR, step_size=200, gamma=0.1),
        schedule_interval="step",
    )
    paint(model, corpus, max_epochs=9)
    losses = model.step(corpus.rows[0]).sums
    for name, most in (("content_loss", 0.23), ("style_loss", 0.67), ("tv_loss", 1.03)):
        assert round(losses[name].item(), 2) <= most, name
