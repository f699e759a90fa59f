"""Who gets which rows, of every corpus, and what a step descends, however its rows are cut."""

from functools import partial

import pytest
import torch
from torch.optim import LBFGS, SGD

from datamodules.batches.in_memory import InMemory
from datamodules.batches.token_streams import RandomWindows, SequentialStreams, TokenStream
from datamodules.corpus import Corpus
from datamodules.words.windows import WindowBatches
from tests.conftest import quiet_trainer
from zoo.catalogue import arguments, corpora, definitions, recipes
from zoo.errors import InputError
from zoo.image_classification.softmax_regression import SoftmaxRegression
from zoo.optimizers.newton import Newton
from zoo.sequence_tagging.bidirectional_tagger import BidirectionalTagger
from zoo.shapes import IGNORED
from zoo.training.ranks import in_turn
from zoo.training.whole_mean import WholeMean

WORLDS = (1, 2, 3)
LETTERS = 6_000
# One recipe's settings of each corpus; of those that no recipe is of, files of one's own.
SETTINGS = {recipe.corpus: recipe.config["data"] for recipe in recipes().values()}
ONE_PICTURE = {"StylePair"}  # in one process, a step after another


def stand_in(name, **options):
    known = arguments(corpora()[name], definitions())
    given = {**(SETTINGS[name].get("init_args") or {}), **options}
    given |= {"synthetic": True} if "synthetic" in known else {}
    given |= {"num_val": 70} if "num_val" in known else {}
    module, _, cls = SETTINGS[name]["class_path"].rpartition(".")
    corpus = getattr(__import__(module, fromlist=[cls]), cls)(**given)
    corpus.prepare_data()
    corpus.setup("fit")
    return corpus


def dealt(corpus, loader, monkeypatch, world):
    """The rows of each batch of each rank."""
    found = []
    for rank in range(world):
        ranks = {"rank": rank, "num_replicas": world}
        monkeypatch.setattr(Corpus, "ranks", property(lambda self, ranks=ranks: ranks))
        batches = getattr(corpus, loader)()
        sampler = getattr(batches, "order", None) or batches.sampler
        found.append([rows.indices for rows in sampler])
        assert len(found[-1]) == len(batches)
    return found


def places(batches_by_rank):
    """All rows, or places of tokens that are there, in order."""
    flat = torch.cat([rows.flatten() for batches in batches_by_rank for rows in batches])
    return flat[flat >= 0].sort().values


@pytest.mark.parametrize("name", sorted(set(SETTINGS) - ONE_PICTURE))
def test_every_row_is_dealt_once_and_ranks_stay_in_step(name, monkeypatch):
    corpus = stand_in(name, batch_size=7)
    if isinstance(corpus.data["train"], TokenStream):
        corpus.data["train"] = short(corpus.data["train"], LETTERS)
    for world in WORLDS:
        trained = dealt(corpus, "train_dataloader", monkeypatch, world)
        assert len({len(batches) for batches in trained}) == 1
        seen = places(trained)
        sampler = corpus.train_dataloader()
        sampler = getattr(sampler, "order", None) or sampler.sampler
        if isinstance(sampler, WindowBatches):
            assert torch.equal(seen, torch.arange(len(sampler.dataset.windows(0))))
        elif isinstance(sampler, RandomWindows | SequentialStreams):
            reach, filled = sampler.num_steps, 7 * world * sampler.num_steps
            assert len(seen.unique()) > LETTERS - reach - filled
            assert len(seen) == len(seen.unique()) or getattr(sampler, "stride", reach) < reach
        else:
            rows = len(corpus.data["train"])
            assert len(seen) == len(seen.unique()) == rows - rows % world
            sizes = [[len(batch) for batch in batches] for batches in trained]
            assert sizes == [sizes[0]] * world
        measured = dealt(corpus, "val_dataloader", monkeypatch, world)
        assert len({len(batches) for batches in measured}) == 1
        assert torch.equal(places(measured), torch.arange(len(corpus.data["val"])))


def short(text, number):
    return TokenStream(*(tensor[:number] for tensor in text.tensors))


@pytest.mark.parametrize("name", sorted(set(SETTINGS) - ONE_PICTURE))
def test_a_rank_without_rows_gets_a_batch_of_none(name, monkeypatch):
    corpus = stand_in(name)
    rows = corpus.data["val"]
    one = short(rows, 1) if isinstance(rows, TokenStream) else rows
    monkeypatch.setattr(type(one), "__len__", lambda self: 1)
    if hasattr(one, "lengths"):
        lengths = tuple(each[:1] for each in one.lengths)
        monkeypatch.setattr(type(one), "lengths", lengths)
    corpus.data["val"] = one
    ranks = {"rank": 2, "num_replicas": 3}
    monkeypatch.setattr(Corpus, "ranks", property(lambda self: ranks))
    (batch,) = corpus.val_dataloader()
    batch = corpus.on_after_batch_transfer(batch, 0)
    if isinstance(rows, TokenStream):
        assert (batch[1] == IGNORED).all()
    else:
        assert len(batch[0]) == 0


def test_rows_that_were_dealt_out_come_back_in_order():
    rows = list(range(8))
    assert in_turn([rows[rank::3] for rank in range(3)]) == rows
    assert in_turn([[], []]) == []


# Micro-batches


class Padded(Corpus):
    """50 rows of tokens and tags, of which each row has another number."""

    title = "padded"

    def prepare_data(self):
        pass

    def read(self, split):
        generator = torch.Generator().manual_seed(0)
        tokens = torch.randint(0, 5, (50, 9), generator=generator)
        tags = torch.randint(0, 2, (50, 9), generator=generator)
        lengths = torch.randint(0, 10, (50,), generator=generator)
        lengths[:4] = 0
        return InMemory(tokens, tags.masked_fill(torch.arange(9) >= lengths[:, None], IGNORED))


class Whole(Padded):
    def read(self, split):
        tokens, tags = super().read(split).tensors
        return InMemory(tokens.float().view(-1, 1, 3, 3), tags[:, 0].clamp(min=0))


def tagger(**options):
    return BidirectionalTagger(vocab_size=5, num_tags=2, hidden_size=4, dropout=0.0, **options)


def softmax(**options):
    return SoftmaxRegression(in_features=9, num_classes=2, **options)


def fit(make_model, corpus, optimizer=SGD, **options):
    torch.manual_seed(0)
    model = make_model(optimizer=partial(optimizer, lr=1.0))
    trainer = quiet_trainer(
        **{"max_epochs": 2, "precision": "64-true", **options}, limit_val_batches=0
    )
    trainer.fit(model, corpus)
    return torch.cat([p.detach().flatten() for p in model.parameters()]), trainer


@pytest.mark.parametrize(("make_model", "corpus"), [(tagger, Padded), (softmax, Whole)])
@pytest.mark.parametrize("clip", [None, 0.01])
def test_micro_batches_make_the_step_of_their_batch(make_model, corpus, clip):
    """50 rows in steps of 32: the second has less of them, and its last micro-batch fewer rows."""
    options = {"gradient_clip_val": clip}
    whole, trainer = fit(make_model, corpus(batch_size=32), **options)
    assert trainer.global_step == 4
    for size, parts in ((16, 2), (8, 4), (4, 8)):
        cut, trainer = fit(
            make_model, corpus(batch_size=size), accumulate_grad_batches=parts, **options
        )
        assert trainer.global_step == 4
        torch.testing.assert_close(cut, whole, rtol=0, atol=1e-12)
    torch.manual_seed(0)
    before = torch.cat([p.detach().flatten() for p in make_model().parameters()])
    assert (before.double() - whole).abs().max() > 1e-3


def test_equal_micro_batches_are_left_alone():
    mean, loss = WholeMean(), torch.tensor(1.0, requires_grad=True)
    for part in range(2):
        mean.begin(part, 2, 1)
        assert not mean.alone
        assert mean.weighted(loss, 8, differ=False) is loss
        assert mean.weighted(loss, 8, differ=False) is loss  # L-BFGS asks again
    weight = torch.nn.Parameter(torch.ones(2))
    weight.grad = torch.full((2,), 0.1)
    mean.correct(SGD([weight], lr=1.0))
    assert torch.equal(weight.grad, torch.full((2,), 0.1))
    mean.begin(0, 1, 1)
    assert mean.alone


@pytest.mark.parametrize("optimizer", [LBFGS, Newton])
def test_what_looks_at_a_whole_batch_takes_no_micro_batches(optimizer):
    with pytest.raises(InputError, match="looks at a whole batch several times in a step"):
        fit(softmax, Whole(batch_size=8), optimizer, accumulate_grad_batches=2)
