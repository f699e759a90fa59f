"""A loss or gradient that is not finite never reaches the weights; the run ends with 3, saved."""

import random
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import nn

from tests.conftest import quiet_trainer
from tests.processes import Command
from zoo.checkpoints.checkpoint import DurableCheckpointIO, read
from zoo.checkpoints.last_checkpoint import LastCheckpoint
from zoo.cli.compose import compose
from zoo.cli.lightning import ZooCLI
from zoo.errors import NonFiniteError
from zoo.training.finite import PATIENCE, FiniteSteps, are_finite

STEPS = 12
CASES = {  # of different families, and of optimization by hand
    "softmax_regression-fashion_mnist": {},
    "linear_regression-synthetic_regression": {},
    "gru-time_machine": {"gradient_clip_val": 0.5},
    "bag_of_embeddings-imdb": {"accumulate_grad_batches": 2},
    "gan-gaussian2d": {},
}


class Damage(Callback):
    """Makes one gradient, or all of them by the loss, infinite or not a number, in one step."""

    def __init__(self, step, value):
        self.step, self.value = step, value
        self.weights = {}

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.weights = {k: v.clone() for k, v in pl_module.state_dict().items()}

    def on_after_backward(self, trainer, pl_module):
        if trainer.global_step == self.step:
            gradients = [p.grad for p in pl_module.parameters() if p.grad is not None]
            random.choice(gradients).view(-1)[0] = self.value


def model_and_corpus(name):
    options = ["--data.batch_size=16", "--data.synthetic=true", "--trainer.accelerator=cpu"]
    options += ["--model.lr_scheduler=null"]
    cli = ZooCLI(compose(name, None, None, None, options), None, logs=False)
    return cli.model, cli.datamodule


def train(name, damage, folder, **options):
    torch.manual_seed(0)
    model, corpus = model_and_corpus(name)
    trainer = quiet_trainer(
        max_steps=STEPS,
        limit_val_batches=0,
        callbacks=[damage, LastCheckpoint(folder)],
        plugins=[DurableCheckpointIO()],
        **options,
        enable_checkpointing=True,
    )
    trainer.fit(model, corpus)


@pytest.mark.parametrize("name", CASES)
def test_weights_stay_as_before_the_step(name, tmp_path):
    random.seed(name)
    for value in (float("nan"), float("inf"), -float("inf")):
        step = random.randrange(STEPS)
        damage = Damage(step, value)
        with pytest.raises(NonFiniteError, match=f"gradient is not finite in step {step + 1}, "):
            train(name, damage, tmp_path, **CASES[name])
        saved = read(tmp_path / "last.ckpt")
        assert saved["global_step"] == step
        assert all(t.isfinite().all() for t in saved["state_dict"].values())
        if name != "gan-gaussian2d":  # whose discriminator has taken its step already
            for key, weight in damage.weights.items():
                assert torch.equal(weight, saved["state_dict"][key]), key


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["gru-time_machine", "gan-gaussian2d"])
def test_moments_are_seen_before_they_reach_the_weights(name, value, tmp_path):
    class Moments(Damage):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            super().on_train_batch_start(trainer, pl_module, batch, batch_idx)
            if trainer.global_step >= 4:
                state = random.choice(list(trainer.optimizers[0].state.values()))
                state[random.choice(["exp_avg", "exp_avg_sq"])].view(-1)[-1] = value
            elif trainer.global_step == 2:
                trainer.save_checkpoint(tmp_path / "last.ckpt")
            self.model = pl_module

        def on_after_backward(self, trainer, pl_module):
            pass

    damage = Moments(0, value)
    with pytest.raises(NonFiniteError, match="optimizer's state is not finite in step "):
        train(name, damage, tmp_path)
    for key, weight in damage.model.state_dict().items():
        assert torch.equal(weight, damage.weights[key])
    assert read(tmp_path / "last.ckpt")["global_step"] == 2


def test_the_saved_state_goes_on_with_the_batch_that_failed(tmp_path):
    class Seen(Callback):
        def __init__(self):
            self.sums = []

        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            self.sums.append(batch[0].double().sum().item())

    def run(damage, **options):
        torch.manual_seed(0)
        model, corpus = model_and_corpus("softmax_regression-fashion_mnist")
        seen = Seen()
        trainer = quiet_trainer(
            callbacks=[seen, *damage, LastCheckpoint(tmp_path)],
            plugins=[DurableCheckpointIO()],
            enable_checkpointing=True,
        )
        trainer.fit(model, corpus, **options)
        return seen.sums, list(model.parameters())

    every, weights = run([])
    with pytest.raises(NonFiniteError):
        run([Damage(5, float("nan"))])
    rest, resumed = run([], ckpt_path=tmp_path / "last.ckpt")
    assert rest == every[5:]
    assert all(map(torch.equal, weights, resumed))


def test_the_command_says_so_in_one_line_and_exits_with_3(tmp_path_factory):
    command = Command(
        tmp_path_factory.mktemp("pipes"),
        *("fit", "linear_regression-synthetic_regression"),
        *("--model.optimizer.lr", "1e30", "--trainer.accelerator", "cpu"),
    )
    _, errors = command.communicate(timeout=50)
    assert command.returncode == 3, errors
    (line,) = errors.strip().splitlines()
    assert line.startswith("zoo: the gradient is not finite in step ")
    assert "at a learning rate of 1e+30" in line
    (last,) = Path("runs").rglob("last.ckpt")
    assert all(t.isfinite().all() for t in read(last)["state_dict"].values())


def test_float16_may_leave_out_steps_but_not_for_good(monkeypatch):
    module = LightningModule()
    module.weight = nn.Parameter(torch.zeros(2))
    module.trainer = Trainer(accelerator="cpu", barebones=True)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    steps = FiniteSteps()

    def step(*gradient):
        module.weight.grad = torch.tensor(gradient)
        steps.check(module, optimizer)

    monkeypatch.setattr(Trainer, "scaler", torch.amp.GradScaler("cpu"))
    for _ in range(PATIENCE):
        step(1.0, float("inf"))
    step(1.0, 2.0)
    for _ in range(PATIENCE):
        step(float("nan"), 0.0)
    with pytest.raises(NonFiniteError):
        step(float("nan"), 0.0)
    monkeypatch.setattr(Trainer, "scaler", None)
    with pytest.raises(NonFiniteError):
        step(1.0, float("inf"))


def test_finite_tensors():
    assert are_finite([])
    assert are_finite([torch.full((3,), 1e18), torch.zeros(2, 2)])
    assert not are_finite([torch.zeros(2), torch.tensor([float("nan")])])
    assert not are_finite([torch.tensor([0.0, float("inf")])])
    sparse = torch.tensor([0.0, float("nan"), 0.0]).to_sparse()
    assert not are_finite([sparse])
