"""Fine-tuning: weights from any source, frozen parts, learning rates of body and head."""

import hashlib
import os
import pickle
import zipfile
from functools import partial
from typing import Any
from urllib.error import URLError

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from safetensors.torch import save_file
from torch import nn
from torch.optim import SGD, Adam
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    CyclicLR,
    LambdaLR,
    MultiStepLR,
    OneCycleLR,
    ReduceLROnPlateau,
    StepLR,
)
from torch.utils.data import DataLoader
from torchvision import models

import zoo
from datamodules import FashionMNIST
from tests.conftest import fails
from zoo.errors import InputError
from zoo.image_classification.fine_tuned_resnet import FineTunedResNet
from zoo.image_classification.lenet import LeNet
from zoo.image_classification.resnet import ResNet
from zoo.optimizers.schedules import FactorLR, WarmupCosineLR
from zoo.pretrained import resnet_weights
from zoo.training.objective import parameter_groups

TINY: dict[str, Any] = {"in_channels": 3, "num_classes": 4, "width_ratio": 1 / 16}
PLAIN = {"in_channels": 3, "num_classes": 4}
BATCHES, EPOCHS = 3, 4


def batches(count=BATCHES, side=32):
    generator = torch.Generator().manual_seed(0)
    return [
        (torch.randn(6, 3, side, side, generator=generator), torch.arange(6) % 4)
        for _ in range(count)
    ]


def loader(rows):
    return DataLoader(rows, batch_size=None, collate_fn=tuple)


def trainer(**options):
    return Trainer(
        **{"max_epochs": EPOCHS, "accelerator": "cpu", **options}, logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip


def fit(model, ckpt_path=None, rows=None, **options):
    run = trainer(**options)
    run.fit(model, loader(rows or batches()), ckpt_path=ckpt_path)
    return run


def part_of(name):
    """0 for the stem, 1 to 4 for the stages, 5 for the head."""
    first, second, *_ = name.split(".")
    return {"stem": 0, "stages": int(second) + 1 if second.isdigit() else 0, "head": 5}[first]


def parts(state):
    """The values of each part as one vector."""
    return [
        torch.cat([v.double().flatten() for n, v in state.items() if part_of(n) == i])
        for i in range(6)
    ]


def copied(state):
    return {name: value.clone() for name, value in state.items()}


@pytest.fixture(scope="module")
def torchvision_18():
    """Torchvision's ResNet-18, with statistics and gains that are not those it is born with."""
    torch.manual_seed(0)
    twin = models.resnet18()
    for name, value in twin.state_dict().items():
        if value.ndim == 1:
            value.uniform_(0.5, 1.5) if "var" in name or "weight" in name else value.normal_(0, 0.1)
    return twin.eval()


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A trained small ResNet: its checkpoint."""
    path = tmp_path_factory.mktemp("weights") / "small.ckpt"
    torch.manual_seed(3)
    fit(ResNet(in_channels=3, num_classes=7, width_ratio=0.1), max_epochs=1).save_checkpoint(path)
    return path


# Sources


def features_of(twin, images):
    """What torchvision's network hands to its classifier."""
    seen = []
    handle = twin.avgpool.register_forward_hook(lambda *call: seen.append(call[2].flatten(1)))
    with torch.no_grad():
        twin(images)
    handle.remove()
    return seen[0]


def write(twin, kind, folder):
    state = twin.state_dict()
    path = folder / f"weights.{'safetensors' if kind == 'safetensors' else 'pth'}"
    if kind == "safetensors":
        save_file(state, path)
    elif kind == "legacy":
        torch.save(state, path, _use_new_zipfile_serialization=False)
        assert not zipfile.is_zipfile(path)
    elif kind == "older":  # as files from before torch 0.4.1, whose order is any
        counted = {n: v for n, v in state.items() if not n.endswith("num_batches_tracked")}
        torch.save(dict(sorted(counted.items(), reverse=True)), path)
    else:
        torch.save({kind: state} if kind in ("state_dict", "model") else state, path)
    return path


@pytest.mark.parametrize(
    "kind", ["zip", "legacy", "older", "state_dict", "model", "safetensors", "torchvision"]
)
def test_features_are_torchvisions(kind, torchvision_18, tmp_path, monkeypatch):
    if kind == "torchvision":
        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        path = tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
        path.parent.mkdir(parents=True)
        torch.save(torchvision_18.state_dict(), path)
        model = FineTunedResNet(**PLAIN, weights="torchvision")
    else:
        path = write(torchvision_18, kind, tmp_path)
        model = FineTunedResNet(**PLAIN, weights=str(path))
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        found = model.eval().features(images)
    wanted = features_of(torchvision_18, images)
    assert wanted.std() > 0.1
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    form = {"depth": 18, "stem": "imagenet", "width_ratio": 1.0}
    assert {n: model.hparams[n] for n in form} == form


@pytest.mark.parametrize("depth", [34, 50, 101, 152])
def test_names_of_every_depth_are_ours(depth):
    with torch.device("meta"):
        theirs = models.get_model(f"resnet{depth}").state_dict()
        ours = ResNet(in_channels=3, num_classes=1000, depth=depth).state_dict()
    names = {
        resnet_weights.renamed(n): v.shape for n, v in theirs.items() if not n.startswith("fc.")
    }
    assert names == {n: v.shape for n, v in ours.items() if not n.startswith("head.")}
    # the order of both is that of computation, which the names do not use
    assert list(names) == [n for n in ours if not n.startswith("head.")]


def test_depth_50_is_seen_from_the_file(tmp_path):
    torch.manual_seed(0)
    source = ResNet(in_channels=1, num_classes=5, depth=50, stem="cifar", width_ratio=1 / 8)
    save_file(source.state_dict(), tmp_path / "net.safetensors")
    model = FineTunedResNet(in_channels=1, num_classes=2, weights=str(tmp_path / "net.safetensors"))
    assert model.hparams["depth"] == 50
    assert model.hparams["stem"] == "cifar"
    assert model.hparams["width_ratio"] == 1 / 8
    images = torch.randn(2, 1, 16, 16)
    wanted = source.eval().head[:-1](source.stages(source.stem(images)))
    torch.testing.assert_close(model.eval().features(images), wanted)


def test_from_a_checkpoint_and_from_that_of_a_fine_tuned_one(weights, tmp_path):
    source = zoo.load(weights)
    images = torch.randn(2, 3, 32, 32)
    wanted = source.head[:-1](source.stages(source.stem(images)))
    first = FineTunedResNet(**PLAIN, weights=str(weights), frozen=5, head_sizes=[8])
    assert first.hparams["width_ratio"] == 0.1
    torch.testing.assert_close(first.eval().features(images), wanted, rtol=0, atol=0)
    fit(first, max_epochs=1).save_checkpoint(tmp_path / "first.ckpt")
    second = FineTunedResNet(**PLAIN, weights=str(tmp_path / "first.ckpt"))
    torch.testing.assert_close(second.eval().features(images), wanted, rtol=0, atol=0)


def test_from_a_checkpoint_of_another_network(tmp_path):
    fit(LeNet(3, 4, image_size=32), max_epochs=1).save_checkpoint(tmp_path / "lenet.ckpt")
    assert "LeNet, not of a ResNet" in refusal(tmp_path / "lenet.ckpt")


def test_widths_that_were_rounded_are_found_or_given(weights, tmp_path):
    save_file(zoo.load(weights).state_dict(), tmp_path / "net.safetensors")
    source = str(tmp_path / "net.safetensors")
    found = FineTunedResNet(**PLAIN, weights=source).hparams["width_ratio"]
    assert found == pytest.approx(0.1, abs=0.001)
    assert FineTunedResNet(**PLAIN, weights=source, width_ratio=0.1).hparams["width_ratio"] == 0.1


@pytest.mark.parametrize(
    ("option", "value"),
    [("depth", 34), ("stem", "cifar"), ("width_ratio", 0.2), ("in_channels", 1)],
)
def test_what_contradicts_the_weights_is_refused(option, value, weights):
    with pytest.raises(InputError, match=f"small.ckpt: its {option} is .*, not {value}$"):
        FineTunedResNet(**{**PLAIN, option: value}, weights=str(weights))


def test_without_weights_the_form_is_resnets():
    with torch.device("meta"):
        model = FineTunedResNet(**PLAIN)
        given = FineTunedResNet(**PLAIN, depth=34, stem="cifar", width_ratio=0.5)
    assert (model.hparams["depth"], model.hparams["stem"]) == (18, "imagenet")
    assert model.hparams["width_ratio"] == 1.0
    assert (given.hparams["depth"], given.hparams["stem"]) == (34, "cifar")
    assert given.hparams["width_ratio"] == 0.5
    body = {n for n in given.state_dict() if not n.startswith("head.")}
    with torch.device("meta"):
        plain = ResNet(**PLAIN, depth=34, stem="cifar", width_ratio=0.5).state_dict()
    assert body == {n for n in plain if not n.startswith("head.")}


# Bad files


class Code:
    def __reduce__(self):
        return os.mkdir, ("code-was-run",)


def small_state(**changes):
    torch.manual_seed(0)
    state = ResNet(**TINY).state_dict()
    return {n: v for n, v in {**state, **changes}.items() if v is not None}


NAN = torch.full((4,), torch.nan)
BAD_STATES = {
    "nan": (small_state(**{"stem.1.bias": NAN}), "stem.1.bias has values that are not finite"),
    "shape": (
        small_state(**{"stages.1.0.residual.0.weight": torch.zeros(8, 4, 5, 5)}),
        "stages.1.0.residual.0.weight is 8 x 4 x 5 x 5 and that of a ResNet-18 8 x 4 x 3 x 3",
    ),
    "kind": (small_state(**{"stem.1.bias": torch.zeros(4, dtype=torch.int8)}), "is torch.int8"),
    "lacks": (small_state(**{"stages.2.1.residual.3.weight": None}), "lacks stages.2.1"),
    "surplus": (small_state(**{"stages.0.1.extra.weight": NAN}), "has stages.0.1.extra.weight"),
    "blocks": (small_state(**{"stages.3.2.residual.0.weight": NAN}), "2, 2, 2, 3 blocks"),
    "front": (small_state(**{"stem.0.weight": None}), "no convolution in front"),
    "side": (small_state(**{"stem.0.weight": torch.zeros(4, 3, 5, 5)}), "neither 7x7 nor 3x3"),
    "other": ({"features.0.weight": NAN}, "not the weights of a ResNet: it has features.0.weight"),
    "text": ({"stem.0.weight": "text"}, "not the weights of a ResNet: it has stem.0.weight"),
    "none": ({}, "0, 0, 0, 0 blocks"),
    "list": ([NAN], "holds a list"),
}


def refusal(path):
    """The one line that names the file."""
    with pytest.raises(InputError) as caught:
        resnet_weights.read(str(path))
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert "\n" not in line
    return line


@pytest.mark.parametrize("name", BAD_STATES)
def test_weights_that_do_not_fit(name, tmp_path):
    state, reason = BAD_STATES[name]
    torch.save(state, tmp_path / "net.pth")
    assert reason in refusal(tmp_path / "net.pth")


@pytest.mark.parametrize("name", ["resnext50_32x4d", "wide_resnet50_2", "vgg11", "densenet121"])
def test_other_networks_of_torchvision(name, tmp_path):
    with torch.device("meta"):
        state = models.get_model(name).state_dict()
    zeros = {n: torch.zeros((), dtype=v.dtype).expand(v.shape) for n, v in state.items()}
    torch.save(zeros, tmp_path / "net.pth")
    reason = "of a ResNet" if name in ("vgg11", "densenet121") else "that of a ResNet-50"
    assert reason in refusal(tmp_path / "net.pth")


def damage(path, kind):
    """Makes the file at `path`, which is whole, a bad one."""
    data = path.read_bytes()
    if kind == "missing":
        path.unlink()
    elif kind == "folder":
        path.unlink()
        path.mkdir()
    elif kind == "flipped":
        place = len(data) // 2
        path.write_bytes(data[:place] + bytes([data[place] ^ 64]) + data[place + 1 :])
    else:
        changed = {"empty": b"", "text": b"hello, these are no weights\n" * 9}
        path.write_bytes(changed[kind] if kind in changed else data[: len(data) * 2 // 3])


@pytest.mark.parametrize("kind", ["missing", "empty", "cut", "folder", "text", "flipped"])
@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors", ".ckpt"])
def test_damaged_files(kind, suffix, tmp_path, recwarn):
    if (kind, suffix) == ("flipped", ".safetensors"):
        pytest.skip("the format has no checksum")
    path = tmp_path / f"net{suffix}"
    state = small_state()
    if suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save({"state_dict": state, "zoo": {}}, path, _use_new_zipfile_serialization=True)
    damage(path, kind)
    refusal(path)
    assert not recwarn.list


@pytest.mark.parametrize("kind", ["zip", "legacy", "pickle", "ckpt"])
def test_code_is_not_run(kind, tmp_path, recwarn):
    path = tmp_path / ("net.ckpt" if kind == "ckpt" else "net.pth")
    if kind == "pickle":
        path.write_bytes(pickle.dumps({"conv1.weight": Code()}))
    else:
        torch.save({"a": Code()}, path, _use_new_zipfile_serialization=kind != "legacy")
    assert "more than plain data" in refusal(path)
    assert not list(tmp_path.glob("code-was-run"))
    assert not recwarn.list


def test_checkpoints_of_other_packages_are_not_read(tmp_path):
    state = {"zoo": {"class_path": "evil.ResNet"}, "state_dict": small_state()}
    torch.save(state, tmp_path / "net.ckpt")
    assert "evil.ResNet is not of the zoo" in refusal(tmp_path / "net.ckpt")


def test_a_word_that_is_no_source():
    with pytest.raises(InputError, match=r"torchvision or a \.pth, .* file, not imagenet"):
        FineTunedResNet(**PLAIN, weights="imagenet")


def test_what_to_do_without_torchvisions_file(tmp_path, monkeypatch):
    asked = []

    def offline(url, path, digest, **options):
        asked.append((url.rpartition("/")[2], path, digest))
        raise URLError("no\nnetwork")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(InputError) as caught:
        FineTunedResNet(**PLAIN, weights="torchvision", depth=50)
    folder = tmp_path / "hub" / "checkpoints"
    name = "resnet50-11ad3fa6.pth"
    assert asked == [(name, str(folder / name), "11ad3fa6")]
    line = str(caught.value)
    assert line.startswith(f"{name} is not in {folder} and cannot be downloaded")
    assert "put a copy there" in line
    assert "--model.weights FILE" in line
    assert "\n" not in line


# Frozen parts


@pytest.mark.parametrize("frozen", range(6))
def test_frozen_parts_stay_bit_by_bit_and_the_others_learn(frozen):
    torch.manual_seed(0)
    model = FineTunedResNet(**TINY, frozen=frozen, weight_decay=0.1)
    before = copied(model.state_dict())
    fit(model, max_epochs=1)
    after = model.state_dict()
    for i, (old, new) in enumerate(zip(parts(before), parts(after), strict=True)):
        assert torch.equal(old, new) == (i < frozen), i
    moved = [n for n in after if "running_mean" in n and not torch.equal(before[n], after[n])]
    assert moved == [n for n in after if "running_mean" in n and part_of(n) >= frozen]
    learns = {part_of(n) for n, p in model.named_parameters() if p.requires_grad}
    assert learns == set(range(frozen, 6))
    assert model.body_is_frozen == (frozen == 5)


def test_modes():
    model = FineTunedResNet(**TINY, frozen=2)
    for _ in range(2):
        assert [part.training for part in (model.stem, *model.stages)] == [False] * 2 + [True] * 3
        assert model.head.training
        assert not model.stages[0][0].residual[1].training
        assert not any(module.training for module in model.eval().modules())
        model.train()


class Watch(Callback):
    """Which parts learn in each epoch."""

    def __init__(self):
        self.learnt, self.before = [], None

    def on_train_epoch_start(self, trainer, pl_module):
        self.before = parts(copied(pl_module.state_dict()))

    def on_train_epoch_end(self, trainer, pl_module):
        now = parts(pl_module.state_dict())
        pairs = zip(self.before, now, strict=True)
        self.learnt.append([i for i, (a, b) in enumerate(pairs) if not torch.equal(a, b)])


class SaveEachStep(Callback):
    def __init__(self, folder):
        self.folder = folder

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        trainer.save_checkpoint(self.folder / f"{trainer.global_step}.ckpt")


@pytest.mark.parametrize(
    ("frozen", "unfreeze_at", "first_that_learns"),
    [
        (5, [1, 2], [5, 4, 0, 0]),
        (5, [2], [5, 5, 0, 0]),
        (2, [1, 3], [2, 1, 1, 0]),
        (3, [1, 2, 3], [3, 2, 1, 0]),
    ],
)
def test_parts_are_set_free_from_the_head_on(frozen, unfreeze_at, first_that_learns, recwarn):
    torch.manual_seed(0)
    model = FineTunedResNet(**TINY, frozen=frozen, unfreeze_at=unfreeze_at)
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert not model.body_is_frozen
    watch = Watch()
    rows = loader(batches())
    trainer(callbacks=[watch], num_sanity_val_steps=1).fit(model, rows, rows)
    assert watch.learnt == [list(range(first, 6)) for first in first_that_learns]
    assert not [w for w in recwarn if "eval mode" in str(w.message)]


def fit_scheduled(callbacks=(), ckpt_path=None):
    """Trains on a corpus that goes on within an epoch."""
    torch.manual_seed(0)
    model = FineTunedResNet(
        **{**TINY, "in_channels": 1, "num_classes": 10}, frozen=5, unfreeze_at=[1, 3],
        head_sizes=[8], weight_decay=0.01, optimizer=partial(SGD, lr=0.1, momentum=0.9),
        lr_scheduler=partial(OneCycleLR, max_lr=0.2), schedule_interval="step",
    )  # fmt: skip
    run = trainer(callbacks=[*callbacks], limit_train_batches=BATCHES, limit_val_batches=1)
    run.fit(model, FashionMNIST(synthetic=True, batch_size=16), ckpt_path=ckpt_path)
    return model.state_dict()


def test_a_resumed_run_is_bit_equal(tmp_path):
    whole = fit_scheduled([SaveEachStep(tmp_path)])
    for step in range(1, EPOCHS * BATCHES):
        resumed = fit_scheduled(ckpt_path=tmp_path / f"{step}.ckpt")
        assert [n for n, v in whole.items() if not torch.equal(v, resumed[n])] == [], step


@pytest.mark.parametrize("strategy", ["ddp", "ddp_find_unused_parameters_true"])
def test_ddp_has_to_look_for_unused_parameters(strategy, monkeypatch):
    for name in ("LOCAL_RANK", "NODE_RANK"):
        monkeypatch.setenv(name, "0")
    for name in ("MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    model = FineTunedResNet(**TINY, frozen=5, unfreeze_at=[1])
    watch = Watch()
    try:
        if strategy == "ddp":
            fit(FineTunedResNet(**TINY, frozen=5), strategy=strategy, devices=1, max_epochs=1)
            with pytest.raises(InputError, match="ddp_find_unused_parameters_true"):
                fit(model, strategy=strategy, devices=1)
        else:
            fit(model, strategy=strategy, devices=1, max_epochs=2, callbacks=[watch])
            assert watch.learnt == [[5], [0, 1, 2, 3, 4, 5]]
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"frozen": 6}, "frozen is 6"),
        ({"frozen": -1}, "frozen is -1"),
        ({"unfreeze_at": [1]}, "1 epochs for 0 frozen"),
        ({"frozen": 2, "unfreeze_at": [1, 2, 3]}, "3 epochs for 2 frozen"),
        ({"frozen": 2, "unfreeze_at": [2, 1]}, "have to rise"),
        ({"frozen": 2, "unfreeze_at": [0, 1]}, "from 1 or later"),
        ({"body_lr_ratio": 0.0}, "body_lr_ratio is 0.0"),
        ({"width_ratio": 0.0}, "width_ratio must be positive"),
    ],
)
def test_numbers_that_do_not_fit(options, reason):
    with pytest.raises(InputError, match=reason):
        FineTunedResNet(**{**TINY, **options})


# Head


def test_the_head_and_cached_features():
    torch.manual_seed(0)
    model = FineTunedResNet(**TINY, head_sizes=[16, 8]).eval()
    kinds = [type(layer) for layer in model.head]
    assert kinds == [nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Linear]
    first, classifier = model.head[0], model.head[-1]
    assert (first.in_features, first.out_features, classifier.in_features) == (32, 16, 8)
    assert classifier.weight.std().item() == pytest.approx(0.01, rel=0.4)
    assert first.weight.std().item() == pytest.approx((2 / 32) ** 0.5, rel=0.2)
    assert not first.bias.any()
    images = torch.randn(3, 3, 32, 32)
    features = model.features(images)
    assert features.shape == (3, 32)
    torch.testing.assert_close(model(features), model(images), rtol=0, atol=0)


def test_a_head_trains_on_cached_features():
    torch.manual_seed(0)
    model = FineTunedResNet(**TINY, frozen=5)
    before = parts(copied(model.state_dict()))
    fit(model, rows=[(model.features(images), labels) for images, labels in batches()])
    same = [torch.equal(a, b) for a, b in zip(before, parts(model.state_dict()), strict=True)]
    assert same == [True] * 5 + [False]


# Checkpoints


def test_a_checkpoint_needs_nothing_but_itself(weights, tmp_path):
    source = tmp_path / "moved.ckpt"
    source.write_bytes(weights.read_bytes())
    model = FineTunedResNet(**PLAIN, weights=str(source), frozen=1, head_sizes=[8])
    run = fit(model, max_epochs=1)
    origin = {"file": "moved.ckpt", "sha256": hashlib.sha256(source.read_bytes()).hexdigest()}
    source.unlink()
    assert model.hparams["weights"] == str(source)
    run.save_checkpoint(tmp_path / "tuned.ckpt")
    run.save_checkpoint(tmp_path / "weights-only.ckpt", weights_only=True)
    for name in ("tuned.ckpt", "weights-only.ckpt"):
        saved = torch.load(tmp_path / name, weights_only=True)
        assert saved["hyper_parameters"]["weights"] is None
        assert saved["zoo"]["pretrained"] == origin
        assert str(tmp_path) not in str({k: saved[k] for k in ("hyper_parameters", "zoo")})
    images = torch.randn(2, 3, 32, 32)
    loaded = zoo.load(tmp_path / "tuned.ckpt")
    torch.testing.assert_close(loaded(images), model.eval()(images), rtol=0, atol=0)
    again = FineTunedResNet.load_from_checkpoint(tmp_path / "tuned.ckpt")
    fit(again, max_epochs=1).save_checkpoint(tmp_path / "again.ckpt")
    saved = torch.load(tmp_path / "again.ckpt", weights_only=True)
    assert saved["zoo"]["pretrained"] == origin


# Learning rates


class Rates(Callback):
    """Learning rate of each group at each step."""

    def __init__(self):
        self.seen = []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self.seen.append([group["lr"] for group in optimizer.param_groups])


def rates(
    lr_scheduler=None, interval="step", optimizer=None, callbacks=(), ckpt_path=None, **options
):
    torch.manual_seed(0)
    model = FineTunedResNet(
        **{**TINY, "width_ratio": 1 / 64, **options},
        lr_scheduler=lr_scheduler,
        optimizer=optimizer or partial(SGD, lr=0.5, momentum=0.9),
        schedule_interval=interval,
    )
    seen = Rates()
    fit(model, ckpt_path, callbacks=[seen, *callbacks])
    return seen.seen


def cosine(step):
    return 1 - step / 20


SCHEDULES = {
    "none": None,
    "StepLR": partial(StepLR, step_size=2),
    "MultiStepLR": partial(MultiStepLR, milestones=[2, 5]),
    "CosineAnnealingLR": partial(CosineAnnealingLR, T_max=10),
    "CosineAnnealingLR with a floor": partial(CosineAnnealingLR, T_max=10, eta_min=0.05),
    "LambdaLR": partial(LambdaLR, lr_lambda=cosine),
    "WarmupCosineLR": partial(WarmupCosineLR, warmup_steps=3),
    "WarmupCosineLR with ends": partial(
        WarmupCosineLR, warmup_steps=3, warmup_start_lr=0.01, final_lr=0.02
    ),
    "FactorLR": partial(FactorLR, factor=0.5, floor=0.1),
    "OneCycleLR": partial(OneCycleLR, max_lr=0.3),
    "CyclicLR": partial(CyclicLR, base_lr=0.1, max_lr=0.4, step_size_up=3),
    "ReduceLROnPlateau": partial(ReduceLROnPlateau, patience=0, threshold=10.0),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_ratio_holds_at_each_step_of_any_schedule(name):
    plateau = name == "ReduceLROnPlateau"
    schedule = SCHEDULES[name]
    if plateau:  # it watches what is logged

        def schedule(optimizer):
            scheduler = SCHEDULES[name](optimizer)
            scheduler.monitor = "train/loss_epoch"
            return scheduler

    options = {"lr_scheduler": schedule, "interval": "epoch" if plateau else "step"}
    both, alone = rates(**options), rates(**options, body_lr_ratio=1.0)
    assert len(both) == EPOCHS * BATCHES
    assert {len(groups) for groups in alone} == {1}
    assert [head for head, _ in both] == [rate for (rate,) in alone]  # the optimizer's own
    for head, body in both:
        assert body == pytest.approx(0.1 * head, rel=1e-12)
    assert (len({head for head, _ in both}) == 1) == (name == "none")


@pytest.mark.parametrize("name", ["none", "StepLR", "OneCycleLR", "CosineAnnealingLR with a floor"])
@pytest.mark.parametrize("optimizer", [partial(SGD, lr=0.5, momentum=0.9), partial(Adam, lr=0.5)])
def test_rates_go_on_after_a_resume(name, optimizer, tmp_path):
    options = {"lr_scheduler": SCHEDULES[name], "optimizer": optimizer}
    whole = rates(**options, callbacks=[SaveEachStep(tmp_path)])
    for step in (1, 4, 6):
        assert rates(**options, ckpt_path=tmp_path / f"{step}.ckpt") == whole[step:], step


def groups(model):
    return model.configure_optimizers().param_groups


def test_the_groups_are_by_ratio_and_decay():
    model = FineTunedResNet(**TINY, weight_decay=0.01, optimizer=partial(SGD, lr=0.5))
    names = {id(p): n for n, p in model.named_parameters()}
    found = groups(model)
    assert [(g["lr"], g["weight_decay"]) for g in found] == [
        *((0.5, 0.01), (0.5, 0.0), (0.05, 0.01), (0.05, 0.0)),
    ]
    for i, group in enumerate(found):
        assert {names[id(p)].startswith("head.") for p in group["params"]} == {i < 2}
        assert {p.ndim > 1 for p in group["params"]} == {i % 2 == 0}
    assert sum(len(group["params"]) for group in found) == len(names)


def test_groups_only_where_they_are_needed():
    plain = FineTunedResNet(**TINY, body_lr_ratio=1.0)
    (group,) = groups(plain)
    assert [id(p) for p in group["params"]] == [id(p) for p in plain.parameters()]
    assert "lr_ratio" not in group
    assert len(groups(FineTunedResNet(**TINY, body_lr_ratio=1.0, weight_decay=0.1))) == 2
    assert len(groups(FineTunedResNet(**TINY))) == 2


def test_a_recipe_says_which_run_it_begins_with(capsys):
    line = fails(capsys, "fit", "fine_tuned_resnet_small-hot_dog", "--data.synthetic", "true")
    assert "runs/resnet_small-cifar10/1/checkpoints/best.ckpt: there is no such file" in line
    assert "`zoo fit resnet_small-cifar10` makes it" in line


def test_groups_are_those_of_each_ratio_and_of_ratio_one_first():
    module = torch.nn.Sequential(*(torch.nn.Linear(2, 2) for _ in range(3)))
    ratios = {"0": 2.0, "1": 1.0, "2": 0.5}
    groups = parameter_groups(module, 0.0, lambda name: ratios[name[0]])
    assert [group.get("lr_ratio") for group in groups] == [None, 0.5, 2.0]
    assert [group["params"] for group in groups] == [
        [*module[place].parameters()] for place in (1, 2, 0)
    ]
