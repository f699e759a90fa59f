"""Language models: perplexity, carried states, resume, their forms, n-grams, sampling, prompts."""

import math
import os
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lightning.pytorch import Callback, Trainer
from torch import nn
from torch.nn.functional import cross_entropy

import zoo
from tests.conftest import ROOT, fails
from zoo.checkpoints.checkpoint import DurableCheckpointIO
from zoo.cli.main import main
from zoo.errors import InputError
from zoo.language_modeling.gru import GRU
from zoo.language_modeling.lstm import LSTM
from zoo.language_modeling.ngram import Counting, NGram
from zoo.language_modeling.rnn import RNN
from zoo.language_modeling.sampling import choose, restricted, sample
from zoo.language_modeling.transformer_language_model import TransformerLanguageModel

VOCAB = 7
RECURRENT = [RNN, GRU, LSTM]
SMALL = {"vocab_size": VOCAB, "hidden_size": 8}


def quiet(**options):
    return Trainer(
        **{"max_epochs": 1, "plugins": [DurableCheckpointIO()], **options},
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )


class Text:
    """Consecutive batches of a random text, one stream a row; Lightning takes any iterable."""

    trainer = None

    def __init__(self, rows=3, batches=5, steps=4, seed=0):
        generator = torch.Generator().manual_seed(seed)
        text = torch.randint(VOCAB, (rows, steps * batches + 1), generator=generator)
        places = range(0, steps * batches, steps)
        self.whole = text[:, :-1], text[:, 1:]
        self.batches = [(text[:, i:][:, :steps], text[:, i + 1 :][:, :steps]) for i in places]

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        done = self.trainer.fit_loop.epoch_loop.batch_progress.total.ready if self.trainer else 0
        return iter(self.batches[done % len(self) :])


def fit(trainer, model, text, held_out=None, **options):
    """Trains on a text, or on where in it a checkpoint was."""
    text.trainer = trainer
    trainer.fit(model, text, held_out, **options)
    text.trainer = None


def drawn(kind, seed=0, **options):
    torch.manual_seed(seed)
    return kind(**{**SMALL, **options})


def rows_of(tokens):
    return torch.tensor(tokens)


# Perplexity


def test_perplexity_is_that_of_all_tokens_and_no_mean_of_batches():
    text = Text()
    first, second = text.batches[0], text.batches[1]
    ended = second[1].clone()
    ended[1:, 1:] = -100
    nothing = torch.full_like(first[1], -100)
    text.batches = [first, (second[0], ended), (first[0], nothing)]
    model = drawn(LSTM, carry_state=False)
    (found,) = quiet().validate(model, text, verbose=False)
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
    model = drawn(RNN, carry_state=False, optimizer=partial(torch.optim.SGD, lr=0.0))
    trainer = quiet()
    trainer.fit(model, text)
    steps = [model.step(batch) for batch in text.batches]
    assert [int(step.size) for step in steps] == [12, 3]
    mean = sum(step.loss.item() * int(step.size) for step in steps) / 15
    measured = trainer.callback_metrics
    assert measured["train/loss_epoch"].item() == pytest.approx(mean, rel=1e-5)
    assert measured["train/perplexity_epoch"].item() == pytest.approx(math.exp(mean), rel=1e-5)


def test_a_batch_without_targets_has_no_loss():
    tokens = torch.zeros(2, 3, dtype=torch.int64)
    step = drawn(GRU).step((tokens, torch.full_like(tokens, -100)))
    step.loss.backward()
    assert (step.loss.item(), int(step.size)) == (0.0, 0)


# Carried states


@pytest.mark.parametrize("kind", [*RECURRENT, NGram], ids=lambda k: k.__name__)
def test_a_row_goes_on_where_it_ended(kind):
    model = kind(VOCAB) if kind is NGram else drawn(kind, num_layers=2)
    text = Text()
    if kind is NGram:
        model.step(text.whole)
        model.count()
        model.carry(model.begin(3))
    model.eval()
    losses = [model.step(batch).loss for batch in text]
    assert torch.stack(losses).mean().item() == pytest.approx(
        kind.step(model.train(), text.whole).loss.item() if kind is NGram
        else cross_entropy(model(text.whole[0]).flatten(0, 1), text.whole[1].flatten()).item(),
        rel=1e-5,
    )  # fmt: skip


def test_without_carrying_each_batch_begins():
    model, text = drawn(LSTM, carry_state=False).eval(), Text()
    once = model.step(text.batches[1]).loss
    model.step(text.batches[0])
    assert model.step(text.batches[1]).loss.equal(once)


def test_carried_states_have_no_gradient_and_take_other_numbers_of_rows():
    model, text = drawn(LSTM), Text()
    model.step(text.batches[0])
    state = model.carried(3)
    assert not any(part.requires_grad for part in state)
    assert all(part.abs().min() > 0 for part in state)
    for fewer, whole in zip(model.carried(2), state, strict=True):
        assert fewer.equal(whole[:, :2])
    for more, whole in zip(model.carried(5), state, strict=True):
        assert more[:, :3].equal(whole)
        assert not more[:, 3:].any()


class States(Callback):
    """A checkpoint after each step; sees that validation leaves the state of training alone."""

    def __init__(self, folder=None):
        self.folder = folder

    def on_validation_start(self, trainer, pl_module):
        self.before = [part.clone() for part in pl_module.carried_in_training()]

    def on_validation_end(self, trainer, pl_module):
        after = pl_module.carried_in_training()
        assert all(a.equal(b) for a, b in zip(self.before, after, strict=True))

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if self.folder:
            trainer.save_checkpoint(self.folder / f"{trainer.global_step}.ckpt")


class Watched(LSTM):
    """Notes the state that each training batch begins with."""

    def __init__(self, **options):
        super().__init__(**options)
        self.begun = []

    def carried_in_training(self):
        return self._carried[True]

    def advance(self, tokens, state):
        if self.training:
            self.begun.append(state[0].abs().sum().item())
        return super().advance(tokens, state)


def watched(folder=None, ckpt_path=None):
    model = drawn(Watched, dropout=0.2, num_layers=2)
    trainer = quiet(max_epochs=2, val_check_interval=2, callbacks=[States(folder)])
    fit(trainer, model, Text(), Text(rows=2, seed=1), ckpt_path=ckpt_path)
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
from tests.architectures.test_language_models import NGram, States, Text, drawn, fit, quiet, LSTM
from zoo.training.process_group import leave
import os
from lightning.pytorch import Callback

class Save(Callback):
    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.current_epoch == 1 and batch_idx == 1:
            trainer.save_checkpoint(f"{type(pl_module).__name__}.ckpt")


def run(model, ckpt_path=None, **options):
    trainer = quiet(devices=2, strategy="ddp", callbacks=[Save()], **options)
    fit(trainer, model, Text(seed=int(os.environ.get("LOCAL_RANK", 0))), ckpt_path=ckpt_path)
    return model, trainer

first, _ = run(drawn(LSTM), max_epochs=3)
again, trainer = run(drawn(LSTM), "LSTM.ckpt", max_epochs=3)
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
leave()
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
    mine, twin = drawn(kind, kernel="equation", **options), drawn(kind, seed=1, **options)
    assert mine.load_state_dict(twin.state_dict())
    same(mine, twin, Text())


@pytest.mark.parametrize("kernel", ["torch", "equation"])
@pytest.mark.parametrize("kind", RECURRENT, ids=lambda k: k.__name__)
def test_one_hot_and_embedding_are_one(kind, kernel):
    """W_i x is W_i' E x where W_i = W_i' E: columns looked up there, rows here."""
    one_hot = drawn(kind, kernel=kernel)
    other = drawn(kind, seed=1, kernel=kernel, input="embedding", embed_dim=5)
    weights = other.state_dict()
    table = weights.pop("embedding.weight")
    name = "layers.0.weight_ih_l0"
    one_hot.load_state_dict({**weights, name: weights[name] @ table.T})
    same(one_hot, other, Text())
    through = one_hot.get_parameter(name).grad @ table
    torch.testing.assert_close(other.get_parameter(name).grad, through, rtol=0, atol=1e-6)


def test_both_grus():
    with pytest.raises(InputError, match="torch's kernel resets after the product"):
        drawn(GRU, reset="before")
    before = drawn(GRU, reset="before", kernel="equation")
    after = drawn(GRU, kernel="equation")
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
        ({"num_layers": 0}, "num_layers is 0"),
    ],
)
def test_contradictions_are_one_line(options, words):
    with pytest.raises(InputError, match=words) as caught:
        drawn(LSTM, **options)
    assert "\n" not in str(caught.value)


def test_tied_weights_are_one_parameter():
    model = drawn(LSTM, input="embedding", tied=True)
    assert model.embedding.weight is model.head.weight
    apart = drawn(LSTM, input="embedding")
    sizes = [sum(p.numel() for p in m.parameters()) for m in (model, apart)]
    assert sizes[1] - sizes[0] == VOCAB * 8


def test_the_courses_first_weights():
    model = drawn(GRU, hidden_size=64, init_std=0.01, num_layers=2, layer_norm=True)
    weights = torch.cat([p.flatten() for p in model.parameters() if p.ndim > 1])
    assert weights.std().item() == pytest.approx(0.01, rel=0.05)
    assert not model.head.bias.any()
    assert all(norm.weight.eq(1).all() for norm in model.norms)


def test_dropout_is_on_what_goes_up():
    model, tokens = drawn(RNN, num_layers=2, dropout=0.5, hidden_size=64), Text().whole[0]
    assert not model(tokens).equal(model(tokens))
    assert model.eval()(tokens).equal(model(tokens))
    # the state of the first layer is the same whatever was dropped above it
    model.train()
    first, again = (model.advance(tokens, model.begin(3))[1][0] for _ in range(2))
    assert first[0].equal(again[0])
    assert not first[1].equal(again[1])


@pytest.mark.parametrize("helped", [True, False], ids=["residual", "plain"])
def test_six_layers_train_with_normalisation_and_residual_connections(helped):
    tokens = torch.arange(60).remainder(VOCAB).expand(4, -1)
    model = drawn(
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


# The Transformer


def transformer(**options):
    torch.manual_seed(0)
    sizes = {"embed_dim": 16, "num_heads": 2, "num_layers": 3, "context_size": 20}
    model = TransformerLanguageModel(VOCAB, **{**sizes, **options})
    for parameter in model.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=0.3)  # attention that attends
    return model.eval()


@pytest.mark.parametrize("positions", ["learned", "sinusoidal"])
@pytest.mark.parametrize("pieces", [[1] * 20, [5, 1, 1, 13], [20]])
def test_stepwise_logits_are_the_teacher_forced_ones(positions, pieces):
    model, tokens = transformer(positions=positions), Text().whole[0]
    state, found = model.begin(3), []
    for piece in tokens.split(pieces, 1):
        logits, state = model.advance(piece, state)
        found.append(logits)
    torch.testing.assert_close(torch.cat(found, 1), model(tokens), rtol=0, atol=1e-5)


def test_a_text_longer_than_the_context_is_read_on_from_its_last_half():
    model, tokens = transformer(context_size=8), Text().whole[0]
    _, state = model.advance(tokens[:, :8], model.begin(3))
    logits, state = model.advance(tokens[:, 8:9], state)
    torch.testing.assert_close(logits[:, 0], model(tokens[:, 5:9])[:, -1], rtol=0, atol=1e-6)
    assert state[0].shape == (1, 3, 4)
    assert sample(model, tokens[:, :3], 30).shape == (3, 30)
    with pytest.raises(InputError, match="rows of 9 tokens are longer than context_size, 8"):
        model(tokens[:, :9])
    with pytest.raises(InputError, match="multiple of 2 num_heads, 4"):
        transformer(embed_dim=18)
    assert not transformer(carry_state=True).carry_state


# N-grams

LINE = "the cat sat on the mat and the rat sat on the cat and the mat sat on the rat ."
WORDS = LINE.split() + LINE.split()[:4]


def counted(order, words=WORDS, **options):
    """A model that has counted words, and the index of each."""
    index = {word: place for place, word in enumerate(sorted(set(words)))}
    tokens = rows_of([[index[word] for word in words]])
    model = NGram(len(index), order=order, **options)
    for piece in (slice(0, 7), slice(7, None)):
        model.step((tokens[:, :-1][:, piece], tokens[:, 1:][:, piece]))
        model.count()
    return model.eval(), index


def runs(words, order):
    """All runs of up to `order` words that end in a target."""
    ends = range(1, len(words))
    return [tuple(words[e - n : e + 1]) for e in ends for n in range(min(order, e + 1))]


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_counts_are_those_of_a_loop(order):
    model, index = counted(order)
    model.take_in()
    wanted = Counter(runs(WORDS, order))
    words = sorted(index, key=index.get)
    for size, part in enumerate(model.counts, 1):
        codes = zip(part.codes.tolist(), part.numbers.tolist(), strict=True)
        for code, number in codes:
            digits = [code // len(words) ** p % len(words) for p in reversed(range(size))]
            assert wanted.pop(tuple(words[d] for d in digits)) == number
    assert not wanted


@pytest.mark.parametrize("smoothing", ["laplace", "kneser_ney"])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_probabilities_are_nltks(order, smoothing):
    lm = pytest.importorskip("nltk.lm")
    vocabulary = lm.Vocabulary(sorted(set(WORDS) - {"."}), unk_label=".")
    if smoothing == "laplace":
        theirs = lm.Laplace(order, vocabulary=vocabulary)
    else:
        theirs = lm.KneserNeyInterpolated(order, discount=0.75, vocabulary=vocabulary)
    theirs.fit([runs(WORDS, order)])
    if smoothing == "kneser_ney":
        words = sorted(set(WORDS))

        def below(word):
            """NLTK's counts, discounted too: its own last step leaves no room for unseen words."""
            if order == 1:
                seen = {w: theirs.counts[w] for w in words}
            else:
                seen = {w: theirs.estimator._continuation_counts(w)[0] for w in words}
            kinds, total = sum(n > 0 for n in seen.values()), sum(seen.values())
            return (max(seen[word] - 0.75, 0) + 0.75 * kinds / len(words)) / total

        theirs.estimator.unigram_score = below
    model, index = counted(order, smoothing=smoothing)
    contexts = [("on", "the"), ("the", "cat"), ("cat", "the"), ("and", "the"), ("mat", ".")]
    for context in contexts:
        context = context[len(context) - order + 1 :]
        tokens = rows_of([[index[word] for word in context or ("the",)]])
        chances = model(tokens)[0, -1].exp()
        assert chances.sum().item() == pytest.approx(1, abs=1e-6)
        for word, place in index.items():
            assert chances[place].item() == pytest.approx(theirs.score(word, context), abs=1e-6)


@given(st.lists(st.integers(0, 4), min_size=2, max_size=30), st.integers(1, 4), st.booleans())
@settings(max_examples=30)
def test_probabilities_sum_to_one_and_none_is_zero(text, order, laplace):
    model = NGram(5, order=order, smoothing="laplace" if laplace else "kneser_ney")
    tokens = rows_of([text])
    model.step((tokens[:, :-1], tokens[:, 1:]))
    model.count()
    chances = model.eval()(torch.randint(5, (2, 6))).double().exp()
    assert chances.min() > 0
    torch.testing.assert_close(chances.sum(2), torch.ones(2, 6).double(), rtol=0, atol=1e-5)


def test_counting_is_a_step_of_an_optimizer_and_resumes(tmp_path):
    text = Text(batches=8)

    def run(ckpt_path=None, folder=None):
        model, saver = NGram(VOCAB, order=3), States(folder)
        saver.on_validation_start = saver.on_validation_end = lambda *arguments: None
        trainer = quiet(callbacks=[saver], gradient_clip_val=1.0)
        fit(trainer, model, text, Text(seed=3), ckpt_path=ckpt_path)
        assert isinstance(trainer.optimizers[0], Counting)
        return model, trainer.callback_metrics

    model, measured = run(folder=tmp_path)
    assert math.isfinite(measured["val/perplexity"])
    assert int(model.counts[0].numbers.sum()) == 3 * 32
    for step in range(1, 8):
        resumed, again = run(tmp_path / f"{step}.ckpt")
        for ours, theirs in zip(model.counts, resumed.counts, strict=True):
            assert ours.codes.equal(theirs.codes)
            assert ours.numbers.equal(theirs.numbers)
        assert again == measured, step
    loaded = zoo.load(tmp_path / "8.ckpt")
    assert loaded(text.whole[0]).equal(model.eval()(text.whole[0]))


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: NGram(10_000, order=5), "fewer than 2\\^63"),
        (lambda: NGram(7, order=0), "order is 0"),
        (lambda: NGram(7, discount=1.0), "discount is 1.0"),
        (lambda: NGram(7, pseudo_count=0.0), "pseudo_count 0.0"),
        (lambda: quiet(max_epochs=2).fit(NGram(7), Text()), "counts a text once"),
    ],
)
def test_what_cannot_be_counted_is_one_line(act, words):
    with pytest.raises(InputError, match=words) as caught:
        act()
    assert "\n" not in str(caught.value)


# Sampling

LOGITS = st.lists(st.floats(-5, 5, width=32), min_size=2, max_size=8)


@given(LOGITS, st.floats(0.01, 1))
def test_the_nucleus_is_that_of_a_loop(values, top_p):
    logits = torch.tensor([values])
    shares = logits[0].double().softmax(0).tolist()
    order = sorted(range(len(values)), key=lambda i: (-values[i], i))
    kept, total = set(), 0.0
    for place in order:
        if total < top_p - 1e-9:
            kept.add(place)
        elif total < top_p + 1e-9:
            return  # a matter of rounding
        total += shares[place]
    found = restricted(logits, top_p=top_p)[0]
    assert {i for i, v in enumerate(found.tolist()) if v > -math.inf} == kept
    assert all(found[i] == logits[0, i] for i in kept)


@given(LOGITS, st.integers(1, 9))
def test_the_k_most_probable_are_kept(values, top_k):
    found = restricted(torch.tensor([values]), top_k=top_k)[0].tolist()
    order = sorted(range(len(values)), key=lambda i: (-values[i], i))[:top_k]
    assert {i for i, v in enumerate(found) if v > -math.inf} == set(order)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, [0.5, 0.25, 0.15, 0.1]),
        ({"temperature": 0.5}, [0.25, 0.0625, 0.0225, 0.01]),
        ({"top_k": 2}, [0.5, 0.25, 0, 0]),
        ({"top_p": 0.8}, [0.5, 0.25, 0.15, 0]),
        ({"top_k": 3, "top_p": 0.8}, [0.5, 0.25, 0, 0]),  # 0.75 / 0.9 is over 0.8
    ],
)
def test_draws_have_the_distribution(options, wanted):
    """Pearson's statistic of 20,000 draws is below the 0.1% point of chi-square, 16.3."""
    logits = torch.tensor([0.5, 0.25, 0.15, 0.1]).log().expand(20_000, -1)
    generator = torch.Generator().manual_seed(0)
    counts = choose(logits, generator=generator, **options).bincount(minlength=4)
    expected = torch.tensor(wanted) / sum(wanted) * 20_000
    assert not counts[expected == 0].any()
    some = expected > 0
    assert ((counts - expected)[some].square() / expected[some]).sum() < 16.3


@pytest.mark.parametrize("kind", [RNN, GRU, LSTM, TransformerLanguageModel, NGram])
def test_greedy_is_the_argmax_of_the_whole_text(kind):
    model = transformer(context_size=40) if kind is TransformerLanguageModel else None
    model = model or (counted(3)[0] if kind is NGram else drawn(kind, init_std=1.0).eval())
    text = Text().whole[0][:, :4]
    added = sample(model, text, 12, temperature=0.0)
    for _ in range(12):
        text = torch.cat([text, model(text)[:, -1:].argmax(2)], 1)
    assert added.equal(text[:, 4:])


def test_sampling_is_seeded_and_leaves_everything_as_it_was():
    model, prompt = drawn(LSTM, dropout=0.5), Text().whole[0][:, :4]
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    first, again, other = (sample(model, prompt, 30, seed=seed) for seed in (1, 1, 2))
    assert torch.rand(3).equal(wanted)
    assert first.equal(again)
    assert not first.equal(other)
    assert model.training
    assert model._carried == {}
    assert not (sample(model, prompt, 200, barred=[2, 3]).unsqueeze(2) == rows_of([2, 3])).any()
    assert sample(model, prompt, 0).shape == (3, 0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"temperature": -1.0}, "temperature is -1.0"),
        ({"temperature": math.nan}, "temperature is nan"),
        ({"top_k": 0}, "top_k is 0"),
        ({"top_p": 0.0}, "top_p is 0.0"),
        ({"top_p": 1.5}, "top_p is 1.5"),
    ],
)
def test_settings_out_of_bounds_are_one_line(options, words):
    with pytest.raises(InputError, match=words):
        sample(drawn(RNN), rows_of([[1]]), 3, **options)
    with pytest.raises(InputError, match="the prompt is empty"):
        sample(drawn(RNN), torch.zeros(1, 0, dtype=torch.int64), 3)


@pytest.mark.parametrize("temperature", [1e-30, 1e-45])
def test_a_temperature_near_0_is_greedy(temperature):
    logits = torch.tensor([[3.0, 5.0, -2.0]])
    assert choose(logits, temperature=temperature).tolist() == [1]


# The command

FIT = [
    *("fit", "lstm-time_machine", "--data.synthetic", "true", "--trainer.max_epochs", "2"),
    *("--trainer.limit_train_batches", "3", "--trainer.limit_val_batches", "2"),
    *("--model.hidden_size", "16", "--trainer.accelerator", "cpu"),
]
CKPT = "runs/lstm-time_machine/1/checkpoints/best.ckpt"


@pytest.mark.drawn
def test_a_prompt_is_continued(capsys):
    assert main(FIT) == 0
    samples = Path("runs/lstm-time_machine/1/pictures/samples.txt").read_text().splitlines()
    assert [line.partition(":")[0] for line in samples] == ["epoch 0, step 3", "epoch 1, step 6"]
    assert all("|" in line for line in samples)
    assert Path("runs/lstm-time_machine/1/pictures/validation_surprise.png").exists()
    capsys.readouterr()
    ask = ["predict", "--ckpt_path", CKPT, "--length", "40", "--seed", "3", "--prompt"]
    assert main([*ask, "time traveller", "--temperature", "0.8", "--top_k", "5"]) == 0
    out = capsys.readouterr().out
    text = Path("predictions/1.txt").read_text()
    assert text.startswith("time traveller")
    assert len(text) == 14 + 40 + 1
    assert text in out
    assert "written: predictions/1.txt" in out
    assert main([*ask, "Time Traveller!"]) == 0
    assert "read as: time traveller \n" in capsys.readouterr().out
    ask[-2] = "5"
    assert main([*ask, "time traveller", "--output", "here.txt"]) == 0
    assert Path("here.txt").exists()
    for options, words in [
        ((), "say what the text is, or begins with: --prompt"),
        (("--prompt", ""), "nothing to read in the prompt ''"),
        (("--prompt", "a", "book.txt"), "takes a prompt, not book.txt"),
        (("--prompt", "a", "--trainer.devices", "2"), "a prompt, not --trainer.devices=2"),
        (("--prompt", "a", "--length", "0"), "length is 0"),
        (("--prompt", "a", "--top_p", "2"), "top_p is 2.0"),
        (("--prompt", "a", "--temperature", "-1"), "temperature is -1.0"),
    ]:
        assert words in fails(capsys, "predict", "--ckpt_path", CKPT, *options)


def test_unknown_tokens_of_a_prompt_are_named(capsys):
    Path("data.txt").write_text("one two three four five six seven eight nine ten\n" * 40)
    text = ["--data", "TextFile", "--data.path", "data.txt", "--data.num_steps", "4"]
    small = ["--data.batch_size", "2", "--model.hidden_size", "8", "--trainer.max_epochs", "1"]
    assert main(["fit", "--model", "RNN", *text, *small, "--trainer.accelerator", "cpu"]) == 0
    (path,) = Path("runs").glob("*/1/checkpoints/best.ckpt")
    capsys.readouterr()
    assert (
        main(["predict", "--ckpt_path", str(path), "--prompt", "one é two", "--length", "5"]) == 0
    )
    assert "not in the vocabulary, read as <unk>: é" in capsys.readouterr().out


def test_a_prompt_is_for_models_of_text(capsys):
    small = ["--data.synthetic", "true", "--trainer.limit_train_batches", "1"]
    name = "softmax_regression-fashion_mnist"
    options = ["--trainer.max_epochs", "1", "--trainer.accelerator", "cpu"]
    assert main(["fit", name, *small, *options]) == 0
    path = f"runs/{name}/1/checkpoints/last.ckpt"
    capsys.readouterr()
    line = fails(capsys, "predict", "--ckpt_path", path, "--prompt", "a")
    assert "labels pictures: --prompt is not for that" in line
