"""N-grams: counts, probabilities, smoothing, bad input."""

import math
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import zoo
from tests.architectures.conftest import (
    VOCAB,
    WORDS,
    SaveEachStep,
    Text,
    counted,
    fit_text,
    rows_of,
)
from tests.conftest import one_line, quiet_trainer
from zoo.errors import InputError
from zoo.language_modeling.ngram import Counting, NGram


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
        model, saver = NGram(VOCAB, order=3), SaveEachStep(folder)
        saver.on_validation_start = saver.on_validation_end = lambda *arguments: None
        trainer = quiet_trainer(callbacks=[saver], gradient_clip_val=1.0)
        fit_text(trainer, model, text, Text(seed=3), ckpt_path=ckpt_path)
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
        (lambda: quiet_trainer(max_epochs=2).fit(NGram(7), Text()), "counts a text once"),
    ],
)
def test_what_cannot_be_counted_is_one_line(act, words):
    with one_line(InputError, match=words):
        act()
