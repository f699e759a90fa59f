"""Fine-tuning: frozen parts, the head, checkpoints, learning rates of body and head."""

import hashlib
from functools import partial

import pytest
import torch
from lightning.pytorch import Callback
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

import zoo
from datamodules import FashionMNIST
from tests.architectures.conftest import (
    BATCHES,
    EPOCHS,
    PLAIN,
    TINY,
    SaveEachStep,
    fit_batches,
    labelled_batches,
    loader,
)
from tests.conftest import fails, quiet_trainer
from zoo.errors import InputError
from zoo.image_classification.fine_tuned_resnet import FineTunedResNet
from zoo.optimizers.schedules import FactorLR, WarmupCosineLR
from zoo.training.optimization import parameter_groups


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


# Frozen parts


@pytest.mark.parametrize("frozen", range(6))
def test_frozen_parts_stay_bit_by_bit_and_the_others_learn(frozen):
    torch.manual_seed(0)
    model = FineTunedResNet(**TINY, frozen=frozen, weight_decay=0.1)
    before = copied(model.state_dict())
    fit_batches(model, max_epochs=1)
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
    rows = loader(labelled_batches())
    quiet_trainer(max_epochs=EPOCHS, callbacks=[watch], num_sanity_val_steps=1).fit(
        model, rows, rows
    )
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
    run = quiet_trainer(
        max_epochs=EPOCHS, callbacks=[*callbacks], limit_train_batches=BATCHES, limit_val_batches=1
    )
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
            fit_batches(
                FineTunedResNet(**TINY, frozen=5), strategy=strategy, devices=1, max_epochs=1
            )
            with pytest.raises(InputError, match="ddp_find_unused_parameters_true"):
                fit_batches(model, strategy=strategy, devices=1)
        else:
            fit_batches(model, strategy=strategy, devices=1, max_epochs=2, callbacks=[watch])
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
    fit_batches(
        model, rows=[(model.features(images), labels) for images, labels in labelled_batches()]
    )
    same = [torch.equal(a, b) for a, b in zip(before, parts(model.state_dict()), strict=True)]
    assert same == [True] * 5 + [False]


# Checkpoints


def test_a_checkpoint_needs_nothing_but_itself(weights, tmp_path):
    source = tmp_path / "moved.ckpt"
    source.write_bytes(weights.read_bytes())
    model = FineTunedResNet(**PLAIN, weights=str(source), frozen=1, head_sizes=[8])
    run = fit_batches(model, max_epochs=1)
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
    fit_batches(again, max_epochs=1).save_checkpoint(tmp_path / "again.ckpt")
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
    fit_batches(model, ckpt_path, callbacks=[seen, *callbacks])
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
