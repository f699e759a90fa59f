"""Language models: perplexity, carried states, resume, the forms of the recurrent ones."""

import math
import os
import subprocess
import sys
from functools import partial

import pytest
import torch
from torch.nn.functional import cross_entropy

import zoo
from tests.architectures.conftest import VOCAB, SaveEachStep, Text, fit_text, initialised
from tests.conftest import ROOT, one_line, quiet_trainer
from zoo.errors import InputError
from zoo.language_modeling.gru import GRU
from zoo.language_modeling.lstm import LSTM
from zoo.language_modeling.ngram import NGram
from zoo.language_modeling.rnn import RNN
from zoo.language_modeling.transformer_language_model import TransformerLanguageModel

RECURRENT = [RNN, GRU, LSTM]


# Perplexity


def test_perplexity_is_that_of_all_tokens_and_no_mean_of_batches():
    text = Text()
    first, second = text.batches[0], text.batches[1]
    ended = second[1].clone()
    ended[1:, 1:] = -100
    nothing = torch.full_like(first[1], -100)
    text.batches = [first, (second[0], ended), (first[0], nothing)]
    model = initialised(LSTM, carry_state=False)
    (found,) = quiet_trainer().validate(model, text, verbose=False)
    losses = torch.cat(
        [
            cross_entropy(model(tokens).flatten(0, 1), targets.flatten(), reduction="none")
            for tokens, targets in text.batches[:2]
        ]
    )
    count = 12 + 4 + 2
    mean = losses.sum().item() / count
    assert found["val/loss"] == pytest.approx(mean, rel=1e-5)
    assert found["val/perplexity"] == pytest.approx(math.exp(mean), rel=1e-5)
    assert model.monitor == "val/perplexity"


def test_training_perplexity_is_weighted_by_targets():
    text = Text(batches=2)
    text.batches[1] = (text.batches[1][0], text.batches[1][1].clone())
    text.batches[1][1][:, 1:] = -100
    model = initialised(RNN, carry_state=False, optimizer=partial(torch.optim.SGD, lr=0.0))
    trainer = quiet_trainer()
    trainer.fit(model, text)
    steps = [model.step(batch) for batch in text.batches]
    assert [int(step.size) for step in steps] == [12, 3]
    mean = sum(step.loss.item() * int(step.size) for step in steps) / 15
    measured = trainer.callback_metrics
    assert measured["train/loss_epoch"].item() == pytest.approx(mean, rel=1e-5)
    assert measured["train/perplexity_epoch"].item() == pytest.approx(math.exp(mean), rel=1e-5)


def test_a_batch_without_targets_has_no_loss():
    tokens = torch.zeros(2, 3, dtype=torch.int64)
    step = initialised(GRU).step((tokens, torch.full_like(tokens, -100)))
    step.loss.backward()
    assert (step.loss.item(), int(step.size)) == (0.0, 0)


# Carried states


@pytest.mark.parametrize("kind", [*RECURRENT, NGram], ids=lambda k: k.__name__)
def test_a_row_goes_on_where_it_ended(kind):
    model = kind(VOCAB) if kind is NGram else initialised(kind, num_layers=2)
    text = Text()
    if kind is NGram:
        model.step(text.whole)
        model.count()
        model.carry(model.initial_state(3))
    model.eval()
    losses = [model.step(batch).loss for batch in text]
    assert torch.stack(losses).mean().item() == pytest.approx(
        kind.step(model.train(), text.whole).loss.item() if kind is NGram
        else cross_entropy(model(text.whole[0]).flatten(0, 1), text.whole[1].flatten()).item(),
        rel=1e-5,
    )  # fmt: skip


def test_without_carrying_each_batch_begins():
    model, text = initialised(LSTM, carry_state=False).eval(), Text()
    once = model.step(text.batches[1]).loss
    model.step(text.batches[0])
    assert model.step(text.batches[1]).loss.equal(once)


def test_carried_states_have_no_gradient_and_take_other_numbers_of_rows():
    model, text = initialised(LSTM), Text()
    model.step(text.batches[0])
    state = model.carried(3)
    assert not any(part.requires_grad for part in state)
    assert all(part.abs().min() > 0 for part in state)
    for fewer, whole in zip(model.carried(2), state, strict=True):
        assert fewer.equal(whole[:, :2])
    for more, whole in zip(model.carried(5), state, strict=True):
        assert more[:, :3].equal(whole)
        assert not more[:, 3:].any()


class States(SaveEachStep):
    """Sees that validation leaves the state of training alone."""

    def on_validation_start(self, trainer, pl_module):
        self.before = [part.clone() for part in pl_module.carried_in_training()]

    def on_validation_end(self, trainer, pl_module):
        after = pl_module.carried_in_training()
        assert all(a.equal(b) for a, b in zip(self.before, after, strict=True))


class Watched(LSTM):
    """Notes the state that each training batch begins with."""

    def __init__(self, **options):
        super().__init__(**options)
        self.begun = []

    def carried_in_training(self):
        return self._carried[True]

    def unroll(self, tokens, state):
        if self.training:
            self.begun.append(state[0].abs().sum().item())
        return super().unroll(tokens, state)


def watched(folder=None, ckpt_path=None):
    model = initialised(Watched, dropout=0.2, num_layers=2)
    trainer = quiet_trainer(max_epochs=2, val_check_interval=2, callbacks=[States(folder)])
    fit_text(trainer, model, Text(), Text(rows=2, seed=1), ckpt_path=ckpt_path)
    return model, {k: v.item() for k, v in trainer.callback_metrics.items()}


def test_states_are_reset_each_epoch_and_validation_leaves_them_alone():
    model, _ = watched()
    assert [value == 0 for value in model.begun] == [True, *[False] * 4] * 2


def test_a_run_goes_on_bit_by_bit_from_any_step(tmp_path):
    model, measured = watched(tmp_path)
    for step in range(1, 10):
        resumed, again = watched(ckpt_path=tmp_path / f"{step}.ckpt")
        assert resumed.begun == model.begun[step:], step
        for name, tensor in model.state_dict().items():
            assert tensor.equal(resumed.state_dict()[name]), (step, name)
        assert {"train/loss_epoch", "train/perplexity_epoch"} <= set(again)
        assert again == pytest.approx({name: measured[name] for name in again}, rel=1e-6)


def test_states_of_another_number_of_processes_are_refused(tmp_path):
    watched(tmp_path)
    path = tmp_path / "3.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    assert [len(state) for state in checkpoint["zoo"]["carried"]] == [2]
    checkpoint["zoo"]["carried"] *= 2
    torch.save(checkpoint, path)
    with pytest.raises(InputError, match="states of 2 processes and the run has 1"):
        watched(ckpt_path=path)
    assert zoo.load(path, allow=[Watched.__module__]).hparams["hidden_size"] == 8


PROGRAM = """
import sys
import torch
from tests.architectures.conftest import Text, fit_text, initialised
from tests.conftest import quiet_trainer
from zoo.language_modeling.lstm import LSTM
from zoo.language_modeling.ngram import NGram
from zoo.training.process_group import destroy_group
import os
from lightning.pytorch import Callback

class Save(Callback):
    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.current_epoch == 1 and batch_idx == 1:
            trainer.save_checkpoint(f"{type(pl_module).__name__}.ckpt")


def run(model, ckpt_path=None, **options):
    trainer = quiet_trainer(devices=2, strategy="ddp", callbacks=[Save()], **options)
    fit_text(trainer, model, Text(seed=int(os.environ.get("LOCAL_RANK", 0))), ckpt_path=ckpt_path)
    return model, trainer

first, _ = run(initialised(LSTM), max_epochs=3)
again, trainer = run(initialised(LSTM), "LSTM.ckpt", max_epochs=3)
for name, tensor in first.state_dict().items():
    assert tensor.equal(again.state_dict()[name]), name
own = [part.clone() for part in first._carried[True]]
assert all(a.equal(b) for a, b in zip(own, again._carried[True]))
states = torch.load("LSTM.ckpt", weights_only=True)["zoo"]["carried"]
assert len(states) == 2 and not states[0][0].equal(states[1][0])
counted, _ = run(NGram(7, order=2))
counted.eval().take_in()
assert int(counted.counts[0].numbers.sum()) == 2 * 3 * 20
if trainer.is_global_zero:
    print("RESULT")
destroy_group()
"""


@pytest.mark.slow
def test_each_of_two_processes_goes_on_with_its_own_state(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(program)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    assert "RESULT" in done.stdout


# Forms of the recurrent models


def same(mine, twin, text):
    """The same loss and the same gradients of what both have."""
    found = []
    for model in (mine, twin):
        step = model.step(text.whole)
        step.loss.backward()
        logits = model(text.whole[0]).detach()
        found.append((step.loss, logits, *(p.grad for p in model.head.parameters())))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", RECURRENT, ids=lambda k: k.__name__)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_layers": 3},
        {"num_layers": 3, "layer_norm": True, "residual": True},
        {"input": "embedding", "embed_dim": 5},
        {"input": "embedding", "tied": True, "num_layers": 2, "residual": True},
    ],
    ids=["one layer", "stacked", "six-like", "embedding", "tied"],
)
def test_the_equations_are_the_kernel(kind, options):
    mine, twin = (
        initialised(kind, kernel="equation", **options),
        initialised(kind, seed=1, **options),
    )
    assert mine.load_state_dict(twin.state_dict())
    same(mine, twin, Text())


@pytest.mark.parametrize("kernel", ["torch", "equation"])
@pytest.mark.parametrize("kind", RECURRENT, ids=lambda k: k.__name__)
def test_one_hot_and_embedding_are_one(kind, kernel):
    """W_i x is W_i' E x where W_i = W_i' E: columns looked up there, rows here."""
    one_hot = initialised(kind, kernel=kernel)
    other = initialised(kind, seed=1, kernel=kernel, input="embedding", embed_dim=5)
    weights = other.state_dict()
    table = weights.pop("embedding.weight")
    name = "layers.0.weight_ih_l0"
    one_hot.load_state_dict({**weights, name: weights[name] @ table.T})
    same(one_hot, other, Text())
    through = one_hot.get_parameter(name).grad @ table
    torch.testing.assert_close(other.get_parameter(name).grad, through, rtol=0, atol=1e-6)


def test_both_grus():
    with pytest.raises(InputError, match="torch's kernel resets after the product"):
        initialised(GRU, reset="before")
    before = initialised(GRU, reset="before", kernel="equation")
    after = initialised(GRU, kernel="equation")
    tokens = Text().whole[0]
    assert (before(tokens) - after(tokens)).abs().max() > 1e-5


@pytest.mark.parametrize("kind", [*RECURRENT, TransformerLanguageModel], ids=lambda k: k.__name__)
def test_no_token_sees_a_later_one(kind):
    size = {"embed_dim": 8, "num_heads": 2} if kind is TransformerLanguageModel else {}
    model = kind(VOCAB, **size).eval()
    tokens = Text().whole[0]
    other = tokens.clone()
    other[:, 6] = (other[:, 6] + 1) % VOCAB
    change = (model(tokens) - model(other)).abs().amax((0, 2))
    assert change[:6].max() == 0
    assert change[6:].min() > 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"bidirectional": True}, "sees the token that it is to predict"),
        ({"tied": True}, "add --model.input embedding"),
        ({"embed_dim": 8}, "add --model.input embedding"),
        ({"input": "embedding", "embed_dim": 5, "tied": True}, "embed_dim is 5 and hidden_size 8"),
        ({"num_layers": 0}, "num_layers has to be 1 or more, not 0"),
    ],
)
def test_contradictions_are_one_line(options, words):
    with one_line(InputError, match=words):
        initialised(LSTM, **options)


def test_tied_weights_are_one_parameter():
    model = initialised(LSTM, input="embedding", tied=True)
    assert model.embedding.weight is model.head.weight
    apart = initialised(LSTM, input="embedding")
    sizes = [sum(p.numel() for p in m.parameters()) for m in (model, apart)]
    assert sizes[1] - sizes[0] == VOCAB * 8


def test_the_courses_first_weights():
    model = initialised(GRU, hidden_size=64, init_std=0.01, num_layers=2, layer_norm=True)
    weights = torch.cat([p.flatten() for p in model.parameters() if p.ndim > 1])
    assert weights.std().item() == pytest.approx(0.01, rel=0.05)
    assert not model.head.bias.any()
    assert all(norm.weight.eq(1).all() for norm in model.norms)


def test_dropout_is_on_what_goes_up():
    model, tokens = initialised(RNN, num_layers=2, dropout=0.5, hidden_size=64), Text().whole[0]
    assert not model(tokens).equal(model(tokens))
    assert model.eval()(tokens).equal(model(tokens))
    # the state of the first layer is the same whatever was dropped above it
    model.train()
    first, again = (model.unroll(tokens, model.initial_state(3))[1][0] for _ in range(2))
    assert first[0].equal(again[0])
    assert not first[1].equal(again[1])


@pytest.mark.parametrize("helped", [True, False], ids=["residual", "plain"])
def test_six_layers_train_with_normalisation_and_residual_connections(helped):
    tokens = torch.arange(60).remainder(VOCAB).expand(4, -1)
    model = initialised(
        *(LSTM,), hidden_size=16, num_layers=6, layer_norm=helped, residual=helped,
        carry_state=False,
    )  # fmt: skip
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(40):
        loss = model.step((tokens[:, :-1], tokens[:, 1:])).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.5 if helped else loss > 1.5
