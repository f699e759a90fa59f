"""Outside of training no graph is built; what a step keeps holds on to none."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from datamodules import PennTreebankWindows
from tests.architectures.conftest import TINY, loader
from tests.conftest import quiet_trainer
from zoo.examples import build
from zoo.export.formats import compared
from zoo.export.signature import Graph, Input
from zoo.generation.gan import GAN
from zoo.generation.moving_average import MovingAverage
from zoo.generation.sample_grids import drawn
from zoo.image_classification.fine_tuned_resnet import FineTunedResNet
from zoo.language_modeling.gru import GRU
from zoo.language_modeling.sampling import sample
from zoo.layers.attention import DotProductAttention, recorded
from zoo.optimizers.row_sgd import RowSGD
from zoo.regression.linear_regression import LinearRegression
from zoo.regression.pictures import _curve
from zoo.regression.polynomial_regression import PolynomialRegression
from zoo.text_classification.text_cnn import TextCNN
from zoo.training.running_means import RunningMeans
from zoo.training.weight_averaging import renew_statistics
from zoo.translation.decoding import decode
from zoo.translation.seq2seq import Seq2Seq
from zoo.word_embedding.skip_gram import SkipGram

SENTENCE = torch.tensor([[4, 5, 6]])
POINTS = torch.tensor([[0.0, 1.0], [1.0, 0.0]])


def exported(model):
    graph = Graph(model, (Input("x", ("batch", 2), "", lambda *_: POINTS),), {"y": ""}, {})
    return compared(graph, lambda x: [model(x)], [{}])


def with_statistics():
    """A network with a running mean."""
    return nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))


def renewed(model):
    plugins = {
        "convert_input": lambda batch: batch,
        "forward_context": lambda: torch.autocast("cpu"),
    }
    trainer = SimpleNamespace(
        train_dataloader=[(POINTS,)],
        num_training_batches=1,
        precision_plugin=SimpleNamespace(**plugins),
        strategy=SimpleNamespace(
            batch_to_device=lambda batch: batch, reduce=lambda value, **_: value
        ),
    )
    renew_statistics(trainer, model)


WITHOUT = {
    "a text goes on": (partial(build, GRU), lambda m: sample(m, SENTENCE, 2)),
    "a translation": (partial(build, Seq2Seq), lambda m: decode(m, SENTENCE, torch.tensor([3]))),
    "samples": (partial(build, GAN), lambda m: drawn(m, m.noise(3))),
    "quality of samples": (partial(build, GAN, mean=[1.0, 1.0]), GAN.quality),
    "a fitted curve": (partial(LinearRegression, 1), lambda m: _curve(m, torch.ones(3))),
    "an export's comparison": (partial(nn.Linear, 2, 3), exported),
    "statistics": (with_statistics, renewed),
}


@pytest.mark.parametrize("name", WITHOUT)
def test_no_graph_is_built_for(name):
    build_it, act = WITHOUT[name]
    model, seen = build_it(), []
    for module in model.modules():
        module.register_forward_hook(lambda *_: seen.append(torch.is_grad_enabled()))
    act(model)
    assert seen
    assert not any(seen)


def test_rows_that_descend_in_place_build_none():
    class Watched(SkipGram):
        def choose(self, *args):
            modes.append(torch.is_grad_enabled())
            return super().choose(*args)

    modes = []
    data = PennTreebankWindows(synthetic=True, batch_size=64, min_freq=40)
    model = Watched(data.vocab_size, embed_dim=2, optimizer=partial(RowSGD, lr=0.1))
    quiet_trainer(max_steps=2).fit(model, data)
    assert modes == [False, False]


def test_frozen_parts_that_will_learn_build_none():
    model = FineTunedResNet(**TINY, frozen=5, unfreeze_at=[1])
    model.step(next(iter(loader([(torch.randn(4, 3, 32, 32), torch.arange(4))])))).loss.backward()
    with_gradient = [name for name, p in model.named_parameters() if p.grad is not None]
    assert with_gradient == [name for name, _ in model.named_parameters() if "head" in name]


# What is kept


def test_means_of_a_window():
    means, loss = RunningMeans(), torch.ones((), requires_grad=True)
    means.update(loss, {"error": 2 * loss}, 1)
    assert not any(value.requires_grad for value in means.sums.values())


def test_an_average_of_weights():
    average = MovingAverage(nn.Linear(2, 1), decay=0.5)
    assert not any(buffer.requires_grad for buffer in average.buffers())


def test_recorded_attention():
    attend = DotProductAttention()
    queries = torch.randn(1, 2, 4, requires_grad=True)
    with recorded(attend) as weights:
        found = attend(queries, queries, queries)
    assert found.requires_grad
    assert [part.requires_grad for part in weights] == [False]


def test_coefficients():
    assert not PolynomialRegression(degree=3).coefficients.requires_grad


def test_fixed_word_vectors():
    model = TextCNN(vocab_size=5, num_classes=2, embed_dim=4, fixed=True)
    assert not model.fixed.requires_grad


def test_turns_of_a_game():
    class Watched(GAN):
        def _teach_discriminator(self, *args, **options):
            sums, samples = super()._teach_discriminator(*args, **options)
            assert not any(value.requires_grad for value in sums.values())
            assert all(parameter.grad is None for parameter in self.generator.parameters())
            turns.append("discriminator")
            return sums, samples

        def _teach_generator(self, *args):
            total = super()._teach_generator(*args)
            assert not total.requires_grad
            turns.append("generator")
            return total

    turns = []
    model = Watched(2, objective="wasserstein", penalty_weight=1.0)
    quiet_trainer(max_steps=1).fit(model, loader([(torch.randn(6, 2),)]))
    assert turns == ["discriminator", "generator"]
