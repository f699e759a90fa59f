"""Every architecture: its header is true, every parameter learns, a checkpoint round-trips."""

import inspect
import math
import re

import pytest
import torch
from torch.utils.data import DataLoader

import zoo
from tests.architectures.conftest import narrow
from tests.conftest import all_architectures, imported, quiet_trainer, tensors
from zoo.examples import build, device
from zoo.image_classification.batch_norm_lenet import BatchNormLeNet
from zoo.image_classification.lenet import LeNet
from zoo.image_classification.mlp import MLP

SHAPES = re.compile(r"\((batch)?,? ?([\d, ]*)\)(?: of ([\d,]+) tokens)?")


def small(definition) -> bool:
    """Whether a row of an example has few values."""
    rows, *_ = imported(definition.class_path).example()
    return rows.numel() <= 3 * 32 * 32


ALL = all_architectures()
IMAGES = [d for d in ALL if d.family == "image_classification"]
OF_ROWS = [d for d in ALL if d.family != "optimization"]  # whose output has a row for each input's
TEXTS = [d for d in ALL if {"vocab_size", "source_vocab_size"} & set(d.arguments)]
QUICK = [d for d in ALL if small(d)]  # to train for a few steps
DRAWN = [d for d in ALL if d.family == "word_embedding"]  # answers, anew for each step
GAMES = [d for d in ALL if d.family == "generation"]  # which nobody wins
COUNTED = [d for d in TEXTS if "order" in d.arguments]  # and not descended


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def batch(definition, rows=4):
    return imported(definition.class_path).example(rows)


@pytest.mark.parametrize("definition", ALL, ids=lambda d: d.name)
def test_header_is_true(definition):
    cls = imported(definition.class_path)
    with device(cls):
        model = build(cls)
        given = model.forward_inputs(cls.example(rows=4))
        output = model(*given)
    size = sum(p.numel() for p in model.parameters())
    assert definition.header["Size"] == f"{size:,} parameters"
    names = inspect.signature(model.forward).parameters
    told = [part for name, part in zip(names, given, strict=False) if "lengths" not in name]
    header = SHAPES.findall(definition.header["Shapes"])
    assert len(header) == len(told) + 1
    for part, (rows, sizes, tokens) in zip([*told, output], header, strict=True):
        wanted = [int(number) for number in sizes.split(",") if number.strip()]
        assert [*part.shape] == [4] * bool(rows) + wanted
        if tokens:
            assert int(tokens.replace(",", "")) == next(iter(cls.example_sizes.values()))


@pytest.mark.parametrize("definition", ALL, ids=lambda d: d.name)
def test_every_parameter_gets_a_finite_gradient(definition):
    model = narrow(definition)
    if definition in COUNTED:
        model.step(batch(definition))
        model.count()
    step = model.step(batch(definition))
    step.loss.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("definition", ALL, ids=lambda d: d.name)
def test_predictions_and_buffers_hold_on_to_no_graph(definition):
    model = narrow(definition)
    if definition in COUNTED:
        model.step(batch(definition))
        model.count()
    step = model.step(batch(definition))
    assert not any(tensor.requires_grad for tensor in tensors(step.predictions))
    assert not any(buffer.requires_grad for buffer in model.buffers())


@pytest.mark.parametrize("definition", OF_ROWS, ids=lambda d: d.name)
def test_output_is_a_function_of_each_row_alone(definition):
    model = narrow(definition).eval()
    given = model.forward_inputs(batch(definition))
    some = model(*(part[1:3] for part in given))
    torch.testing.assert_close(model(*given)[1:3], some, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "definition", [d for d in QUICK if d not in COUNTED + DRAWN + GAMES], ids=lambda d: d.name
)
def test_overfits_one_batch(definition):
    model = build(
        imported(definition.class_path), **({"dropout": 0.0} if definition in TEXTS else {})
    )
    images = definition in IMAGES
    rows = batch(definition, rows=16 if images else 2)
    if definition.family == "optimization":
        rows = (torch.zeros_like(rows[0]),)
    rates = {"optimization": 0.03, "language_modeling": 0.003}
    optimizer = torch.optim.Adam(model.parameters(), lr=rates.get(definition.family, 0.01))
    for _ in range(600):
        step = model.step(rows)
        optimizer.zero_grad()
        step.loss.backward()
        optimizer.step()
        if step.loss < 0.03:
            break
    assert step.loss < 0.05
    if images:
        assert model.step(rows).sums["accuracy"] == 16


@pytest.mark.parametrize("definition", ALL, ids=lambda d: d.name)
def test_checkpoint_round_trips_as_plain_data(definition, tmp_path):
    model = narrow(definition, optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.1))
    rows = batch(definition)
    trainer = quiet_trainer(max_steps=1)
    trainer.fit(model, DataLoader([rows], batch_size=None, collate_fn=tuple))
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    checkpoint = torch.load(tmp_path / "model.ckpt", weights_only=True)
    assert "optimizer" not in checkpoint["hyper_parameters"]
    assert "lambda" in checkpoint["zoo"]["optimizer"]
    loaded = zoo.load(tmp_path / "model.ckpt")
    assert type(loaded) is type(model)
    assert not loaded.training
    given = model.forward_inputs(rows)
    torch.testing.assert_close(loaded(*given), model.eval()(*given), rtol=0, atol=0)
    again = type(model).load_from_checkpoint(tmp_path / "model.ckpt")
    torch.testing.assert_close(again.eval()(*given), model(*given), rtol=0, atol=0)


def test_initial_loss_is_that_of_a_guess():
    for definition in [d for d in IMAGES if d in QUICK]:
        torch.manual_seed(0)
        loss = build(imported(definition.class_path)).step(batch(definition, rows=64)).loss
        assert math.log(10) * 0.7 < loss < math.log(10) * 1.6, definition.name


def test_lenet_shapes_are_the_courses():
    model = LeNet(in_channels=1, num_classes=10)
    x, seen = torch.zeros(1, 1, 28, 28), []
    for layer in [*model.features, *model.head]:
        x = layer(x)
        seen.append(list(x.shape[1:]))
    assert [seen[i] for i in (0, 2, 3, 5, 6, 7, 9, 11)] == [
        *([6, 28, 28], [6, 14, 14], [16, 10, 10], [16, 5, 5], [400], [120], [84], [10]),
    ]


def test_lenet_takes_other_sizes_and_refuses_tiny_pictures():
    assert LeNet(in_channels=3, num_classes=5, image_size=32)(torch.zeros(2, 3, 32, 32)).shape == (
        2,
        5,
    )
    with pytest.raises(ValueError, match="at least 12"):
        LeNet(in_channels=1, num_classes=10, image_size=11)


def test_normalisation_by_torch_and_by_the_equation_are_one():
    """The same weights, batch after batch, in training and in evaluation."""
    torch.manual_seed(0)
    sizes = {"in_channels": 1, "num_classes": 10}
    one = BatchNormLeNet(**sizes)
    other = BatchNormLeNet(**sizes, normalisation="equation")
    other.load_state_dict(one.state_dict())
    for _ in range(3):
        images = torch.randn(8, 1, 28, 28)
        torch.testing.assert_close(other(images), one(images), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(other.eval()(images), one.eval()(images), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="at least 12"):
        BatchNormLeNet(**sizes, image_size=11)


def test_the_courses_mlp_has_65_million_parameters():
    # d2l's count of a large MLP: topic 3 of the course works it out by hand
    with torch.device("meta"):
        model = MLP(in_features=256 * 256, num_classes=10, hidden_sizes=(1000,))
    weights = sum(p.numel() for p in model.parameters())
    assert weights == 256 * 256 * 1000 + 1000 + 1000 * 10 + 10


def test_dropout_rates_must_fit_the_layers():
    with pytest.raises(ValueError, match="2 dropout rates for 1 hidden"):
        MLP(in_features=4, num_classes=2, hidden_sizes=(3,), dropout=(0.1, 0.2))
    model = MLP(in_features=4, num_classes=2, hidden_sizes=(3, 3), dropout=(0.2, 0.5))
    assert [m.p for m in model.modules() if isinstance(m, torch.nn.Dropout)] == [0.2, 0.5]
