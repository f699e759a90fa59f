"""Word embeddings: losses, rows in place against autograd, trees, GloVe, n-grams, learning."""

import json
import math
from functools import partial
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import logsigmoid

from datamodules import PennTreebankCooccurrences, PennTreebankWindows
from tests.conftest import fails, quiet_trainer
from zoo.cli.main import main
from zoo.errors import InputError
from zoo.optimizers.row_sgd import RowSGD
from zoo.optimizers.schedules import LinearDecayLR
from zoo.shapes import IGNORED
from zoo.word_embedding.bags import bags_of, singles
from zoo.word_embedding.cbow import CBOW
from zoo.word_embedding.fasttext import FastText, fnv1a
from zoo.word_embedding.glove import GloVe
from zoo.word_embedding.objectives import (
    Choices,
    HierarchicalSoftmax,
    NegativeSampling,
    huffman,
    loss_of,
    none_shared,
)
from zoo.word_embedding.skip_gram import SkipGram

VOCAB = 12
COUNTS = torch.tensor([50, 40, 30, 20, 10, 9, 8, 7, 6, 5, 4, 3])
KINDS = {"skip_gram": SkipGram, "cbow": CBOW, "fasttext": FastText}
OBJECTIVES = {
    "own": {},
    "shared": {"shared_negatives": 6},
    "tree": {"objective": "hierarchical_softmax"},
}


def built(kind, **options):
    torch.manual_seed(0)
    more = {"num_buckets": 30} if kind == "fasttext" else {}
    model = KINDS[kind](VOCAB, embed_dim=5, **more, **options)
    model.word_counts.copy_(COUNTS)
    if kind == "fasttext":
        model.spell([f"word{index}" for index in range(VOCAB)])
    with torch.no_grad():
        for table in (model.input.weight, model.output.weight):
            table.normal_()
    return model


def batch():
    centers = torch.tensor([0, 3, 3, 7])
    contexts = torch.tensor([[1, 2, -100, 0], [-100, 3, 5, -100], [4, 4, 4, 4], [-100, 0, -100, 1]])
    return centers, contexts


def test_the_courses_masked_loss():
    """d2l 15.4: cross-entropies of rows of different lengths."""
    scores = torch.tensor([[1.5, 0.3, -1, 2], [1.1, -0.6, 2.2, 0.4]])
    answers = torch.tensor([[1.0, 0, 0, 0], [1, 1, 0, 0]])
    masks = torch.tensor([[1.0, 1, 1, 1], [1, 1, 1, 0]])
    table = torch.eye(4)
    for row, wanted in enumerate((0.8740, 1.2100)):
        pairs = singles(torch.tensor([0]))._replace(rows=torch.arange(4)[None])
        choices = Choices(
            pairs, answers[row : row + 1], masks[row : row + 1], *none_shared(pairs, 1),
            masks[row].sum(),
        )  # fmt: skip
        found = loss_of(scores[row : row + 1], table, choices) / masks[row].sum()
        assert found.item() == pytest.approx(wanted, abs=5e-5)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("kind", KINDS)
def test_rows_in_place_step_as_autograd_does(kind, objective):
    one, other = (built(kind, **OBJECTIVES[objective]).train() for _ in range(2))
    lr, rows = 0.1, batch()
    torch.manual_seed(1)
    step = one.step(rows)
    (step.loss * step.size * lr).backward()
    for table in (one.input.weight, one.output.weight):
        table.data -= table.grad
    optimizer = RowSGD(other.parameters(), lr=lr)
    other.trainer = quiet_trainer()
    other.trainer.strategy._optimizers = [optimizer]
    torch.manual_seed(1)
    loss = optimizer.step(partial(other._descend, rows))
    torch.testing.assert_close(loss, step.loss.detach())
    torch.testing.assert_close(other.input.weight, one.input.weight, rtol=0, atol=1e-5)
    torch.testing.assert_close(other.output.weight, one.output.weight, rtol=0, atol=1e-5)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("kind", KINDS)
def test_mini_batches_are_steps_one_after_another(kind, objective):
    one, other = (built(kind, **OBJECTIVES[objective]).train() for _ in range(2))
    other.mini_batch_size, lr, rows = 3, 0.1, batch()
    torch.manual_seed(1)
    choices = one.choose(rows, 2)
    losses = []
    parts = zip(*(tensor.split(3) for tensor in rows), strict=True)
    for part, chosen in zip(parts, choices.split(3), strict=True):
        loss = loss_of(one(*part), one.output.weight, chosen)
        losses.append(loss.item())
        (loss * lr).backward()
        for table in (one.input.weight, one.output.weight):
            table.data -= table.grad
            table.grad = None
    optimizer = RowSGD(other.parameters(), lr=lr)
    other.trainer = quiet_trainer()
    other.trainer.strategy._optimizers = [optimizer]
    torch.manual_seed(1)
    loss = optimizer.step(partial(other._descend, rows))
    assert loss.item() == pytest.approx(sum(losses) / choices.size.item(), abs=1e-5)
    torch.testing.assert_close(other.input.weight, one.input.weight, rtol=0, atol=1e-5)
    torch.testing.assert_close(other.output.weight, one.output.weight, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ["skip_gram", "fasttext"])
def test_negatives_of_the_corpus_are_those_of_the_equation(kind):
    model, (centers, contexts) = built(kind).train(), batch()
    negatives = torch.randint(0, VOCAB, (*contexts.shape, 2)).where(
        contexts[:, :, None] >= 0, torch.tensor(IGNORED)
    )
    step = model.step((centers, contexts, negatives))
    vectors, table = model(centers, contexts), model.output.weight
    terms = []
    for vector, row, others in zip(vectors, contexts.tolist(), negatives.tolist(), strict=True):
        for word, drawn in zip(row, others, strict=True):
            if word >= 0:
                terms.append(-logsigmoid(vector @ table[word]))
                terms += [(n != word) * -logsigmoid(-vector @ table[n]) for n in drawn]
    torch.testing.assert_close(step.loss, sum(terms) / len(terms))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("cbow", {}),
        ("skip_gram", {"shared_negatives": 4}),
        ("skip_gram", {"objective": "hierarchical_softmax"}),
    ],
)
def test_negatives_of_the_corpus_are_refused_where_they_have_no_use(kind, options):
    centers, contexts = batch()
    with pytest.raises(InputError, match="negatives 0"):
        built(kind, **options).step((centers, contexts, contexts[:, :, None]))


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_the_equation(kind):
    model = built(kind).train()
    torch.manual_seed(1)
    step = model.step(batch())
    torch.manual_seed(1)
    choices = model.choose(batch())
    vectors, table = model(*batch()), model.output.weight
    total, terms = 0.0, 0
    for pair, example in enumerate(choices.pairs.example.tolist()):
        word, *negatives = choices.pairs.rows[pair].tolist()
        total += -logsigmoid(vectors[example] @ table[word])
        total += sum(-logsigmoid(-vectors[example] @ table[n]) for n in negatives if n != word)
        terms += 6
    assert len(negatives) == 5
    torch.testing.assert_close(step.loss, total / terms)


def test_examples_and_what_they_tell():
    centers, contexts = batch()
    skip_gram, cbow = built("skip_gram"), built("cbow")
    torch.testing.assert_close(skip_gram(centers, contexts), skip_gram.input.weight[centers])
    found = skip_gram.targets((centers, contexts))
    assert found.example.tolist() == [0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 3]
    assert found.rows.tolist() == [1, 2, 0, 3, 5, 4, 4, 4, 4, 0, 1]
    means = cbow(centers, contexts)
    torch.testing.assert_close(means[1], cbow.input.weight[[3, 5]].mean(0))
    assert cbow.targets((centers, contexts)).rows.tolist() == centers.tolist()


def test_shared_negatives_weigh_as_much_as_those_of_each_pair():
    chooser = NegativeSampling(COUNTS, num_negatives=5, shared=40)
    torch.manual_seed(0)
    found = chooser.choices(bags_of(torch.tensor([1, 2, 3]), torch.tensor([2, 0, 1])))
    assert (found.shares * 40).flatten().tolist() == [10.0, 0.0, 5.0]
    assert found.size == 18


def test_negatives_are_drawn_by_counts_to_the_power_of_three_quarters():
    torch.manual_seed(0)
    drawn = NegativeSampling(COUNTS, 5, 0).draw(40_000).flatten()
    chances = COUNTS.double() ** 0.75
    wanted = 200_000 * chances / chances.sum()
    square = ((torch.bincount(drawn, minlength=VOCAB) - wanted) ** 2 / wanted).sum()
    assert square < 31.3  # chi-square of 11 degrees of freedom, p = 0.001


@given(counts=st.lists(st.integers(1, 50), min_size=2, max_size=30))
def test_huffmans_tree_is_a_code_of_least_length(counts):
    nodes, codes, lengths = huffman(torch.tensor(counts))
    ways = [tuple(codes[leaf, :length].tolist()) for leaf, length in enumerate(lengths.tolist())]
    assert sum(2.0 ** -len(way) for way in ways) == 1
    for one, other in pairwise(sorted(ways)):
        assert other[: len(one)] != one
    heap, least = sorted(counts), 0
    while len(heap) > 1:
        first, second, *heap = heap
        least += first + second
        heap = sorted([*heap, first + second])
    assert sum(count * len(way) for count, way in zip(counts, ways, strict=True)) == least
    assert (nodes[:, 0] == 0).all()
    assert nodes.max() <= len(counts) - 2


def test_the_tree_gives_probabilities():
    tree = HierarchicalSoftmax(COUNTS)
    table, vector = torch.randn(VOCAB, 5), torch.randn(1, 5)
    chances = []
    for word in range(VOCAB):
        choices = tree.choices(singles(torch.tensor([word])))
        chances.append(math.exp(-loss_of(vector, table, choices).item()))
    assert sum(chances) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_in_evaluation_the_same_negatives_are_drawn(kind):
    model = built(kind, shared_negatives=6).eval()
    losses = []
    for seed in range(2):
        torch.manual_seed(seed)
        model.on_validation_epoch_start()
        losses.append(model.step(batch()).loss.item())
        assert model.choose(batch()).shared.numel() == 0
    assert losses[0] == losses[1]


# GloVe, fastText


def test_glove_is_the_equation():
    model = GloVe(VOCAB, embed_dim=5)
    words, contexts = torch.tensor([0, 1, 5]), torch.tensor([2, 1, 7])
    counts = torch.tensor([3.0, 150.0, 0.5])
    total = 0.0
    for word, context, count in zip(words, contexts, counts, strict=True):
        found = model.word.weight[word] @ model.context.weight[context]
        found = found + model.word_bias.weight[word, 0] + model.context_bias.weight[context, 0]
        total += min(1.0, (count / 100) ** 0.75) * (found - count.log()) ** 2
    torch.testing.assert_close(model.step((words, contexts, counts)).loss, total / 3)
    torch.testing.assert_close(model.table(), model.word.weight + model.context.weight)


def test_ngrams_of_the_paper():
    """Section 3.2: of `where` the runs of three are <wh, whe, her, ere and re>."""
    model = FastText(2, num_buckets=1_000_000, shortest=3, longest=3)
    wanted = [2 + fnv1a(run) % 1_000_000 for run in ("<wh", "whe", "her", "ere", "re>")]
    assert model.ngrams("where") == wanted
    assert model.ngrams("") == []
    assert fnv1a("") == 0x811C9DC5
    assert fnv1a("foobar") == 0xBF9CF968


def test_a_word_is_the_mean_of_its_parts_and_so_is_an_unseen_one():
    model = built("fasttext")
    rows = [3, *model.ngrams("word3")]
    torch.testing.assert_close(model.table()[3], model.input.weight[rows].mean(0))
    unseen = model.compose("words")
    torch.testing.assert_close(unseen, model.input.weight[model.ngrams("words")].mean(0))
    assert built("skip_gram").compose("words") is None
    again = built("fasttext")
    again.spell(["other"] * VOCAB)
    again.load_state_dict(model.state_dict())
    torch.testing.assert_close(again.table(), model.table())


# Training


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_learned_is_told_better(kind, objective):
    corpus = PennTreebankWindows(synthetic=True, subsampling=0, batch_size=1024)
    corpus.prepare_data()
    torch.manual_seed(0)
    more = {"num_buckets": 2000} if kind == "fasttext" else {}
    if objective == "shared":
        more["shared_negatives"] = 64
    model = KINDS[kind](
        corpus.vocab_size, embed_dim=20, mini_batch_size=64, **{**OBJECTIVES[objective], **more},
        optimizer=partial(RowSGD, lr=0.02), lr_scheduler=LinearDecayLR, schedule_interval="step",
    )  # fmt: skip
    fit = quiet_trainer(max_epochs=8)
    fit.fit(model, corpus)
    steps = 8 * len(corpus.train_dataloader())
    assert fit.global_step == steps
    assert fit.optimizers[0].param_groups[0]["lr"] == pytest.approx(0.02 * 1e-4)
    assert fit.callback_metrics["val/loss"] < 0.96 * math.log(2)
    assert "val/wordsim353_covered" in fit.callback_metrics


def test_glove_learns():
    corpus = PennTreebankCooccurrences(synthetic=True, batch_size=256)
    corpus.prepare_data()
    torch.manual_seed(0)
    model = GloVe(corpus.vocab_size, 20, optimizer=partial(torch.optim.Adagrad, lr=0.05))
    fit = quiet_trainer(max_epochs=4)
    fit.fit(model, corpus)
    assert fit.callback_metrics["val/loss"] < 0.08
    assert "val/wordsim353" in fit.callback_metrics


def test_what_rows_in_place_cannot_do_is_said(capsys):
    fit = ["fit", "skip_gram-penn_treebank_windows", "--data.synthetic", "true"]
    for options, words in [
        (("--trainer.gradient_clip_val", "1"), "RowSGD clips nothing"),
        (("--trainer.accumulate_grad_batches", "2"), "RowSGD accumulates none"),
        (("--model.shared_negatives", "-1"), "shared_negatives has to be 0 or more, not -1"),
        (("--model.objective", "hierarchical_softmax"), "a tree has no negatives to share"),
        (("--model.weight_decay", "0.1"), "RowSGD knows no weight decay"),
    ]:
        assert words in fails(capsys, *fit, *options)
    model = SkipGram(VOCAB, optimizer=RowSGD)
    model.trainer = SimpleNamespace(world_size=2)
    with pytest.raises(InputError, match="RowSGD trains in one process"):
        model.configure_optimizers()
    with pytest.raises(InputError, match="how often each word is there"):
        SkipGram(VOCAB).step(batch())


def test_a_run_in_place_goes_on_bit_by_bit(tmp_path, monkeypatch):
    small = ["--data.synthetic", "true", "--data.batch_size", "512", "--trainer.accelerator", "cpu"]
    small += ["--model.lr_scheduler", "null"]
    name = "skip_gram-penn_treebank_windows"
    assert main(["fit", name, *small, "--trainer.max_epochs", "2", "--runs", "whole"]) == 0
    assert main(["fit", name, *small, "--trainer.max_epochs", "1", "--runs", "cut"]) == 0
    begun = f"cut/{name}/1/checkpoints/last.ckpt"
    rest = ["--trainer.max_epochs", "2", "--ckpt_path", begun, "--runs", "rest"]
    assert main(["fit", name, *small, *rest]) == 0
    states = [
        torch.load(f"{run}/{name}/1/checkpoints/last.ckpt", weights_only=True)["state_dict"]
        for run in ("whole", "rest")
    ]
    for key, value in states[0].items():
        assert torch.equal(value, states[1][key]), key


def test_a_map_and_the_counts_are_kept(capsys):
    small = ["--data.synthetic", "true", "--trainer.accelerator", "cpu"]
    name = "glove-penn_treebank_cooccurrences"
    assert main(["fit", name, *small, "--trainer.max_epochs", "1"]) == 0
    run = "runs/glove-penn_treebank_cooccurrences/1"
    checkpoint = torch.load(f"{run}/checkpoints/last.ckpt", weights_only=True)
    state = checkpoint["PennTreebankCooccurrences"]
    assert state["word_counts"] == sorted(state["word_counts"], reverse=True)
    assert checkpoint["state_dict"]["word_counts"].tolist() == state["word_counts"]
    assert main(["validate", "--ckpt_path", f"{run}/checkpoints/last.ckpt"]) == 0
    assert "val/wordsim353" in capsys.readouterr().out
    assert json.dumps(state)
