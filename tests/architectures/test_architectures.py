"""Every architecture: its header is true, every parameter learns, a checkpoint round-trips."""

import math

import pytest
import torch
from torch.utils.data import DataLoader

import zoo
from tests.architectures.conftest import narrow
from tests.conftest import all_architectures, quiet_trainer, tensors
from zoo.examples import build, device, example, shapes, vocab_size
from zoo.image_classification.batch_norm_lenet import BatchNormLeNet
from zoo.image_classification.lenet import LeNet
from zoo.image_classification.mlp import MLP
from zoo.shapes import IGNORED

ALL = all_architectures()
IMAGES = [d for d in ALL if d.family == "image_classification"]
OF_ROWS = [d for d in ALL if d.family != "optimization"]  # whose output has a row for each input's
TEXTS = [d for d in ALL if {"vocab_size", "source_vocab_size"} & set(d.arguments)]
QUICK = [d for d in ALL if math.prod(shapes(d)[0]) <= 3 * 32 * 32]  # to train for a few steps
DRAWN = [d for d in ALL if d.family == "word_embedding"]  # answers, anew for each step
GAMES = [d for d in ALL if d.family == "generation"]  # which nobody wins
COUNTED = [d for d in TEXTS if "order" in d.arguments]  # and not descended


def batch(definition, rows=4):
    """Inputs and answers of the family, drawn at random."""
    inputs, outputs = shapes(definition)
    generator = torch.Generator().manual_seed(0)
    if definition in TEXTS:
        tokens = torch.randint(vocab_size(definition), (rows, *inputs), generator=generator)
        if definition.family == "word_embedding":
            others = torch.randint(9, example(definition, rows)[1].shape, generator=generator)
            counts = torch.rand(rows, generator=generator) + 0.5
            return (tokens, others, counts) if others.ndim == 1 else (tokens, others)
        targets = torch.randint(outputs[-1], (rows, *inputs), generator=generator)
        lengths = torch.full((rows,), *inputs)
        return {
            "translation": (tokens, lengths, targets, lengths),
            "text_classification": (tokens, lengths, targets[:, 0]),
        }.get(definition.family, (tokens, targets))
    drawn = torch.randn(rows, *inputs, generator=generator)
    answers = {
        "image_classification": lambda: (torch.randint(outputs[0], (rows,), generator=generator),),
        "regression": lambda: (torch.randn(rows, generator=generator),),
        "optimization": tuple,
        "object_detection": lambda: boxes_and_labels(rows, generator),
        "generation": tuple,
        "style_transfer": lambda: (torch.randn(1, 3, 48, 64, generator=generator),),
    }
    if definition in GAMES:
        drawn = torch.randn(rows, *outputs, generator=generator).tanh()
    return (drawn, *answers[definition.family]())


def boxes_and_labels(rows, generator):
    """Three boxes a picture, of which the last row of all but the first picture is none."""
    corners = torch.rand(rows, 3, 2, 2, generator=generator).sort(2).values
    labels = torch.zeros(rows, 3, dtype=torch.int64)
    labels[1:, 2] = IGNORED
    return corners.flatten(2), labels


def inputs_of(definition, rows):
    """What `forward` takes of a batch, or noise."""
    if definition in GAMES:
        return (torch.randn(len(rows[0]), *shapes(definition)[0]),)
    return rows[: len(example(definition))]


@pytest.mark.parametrize("definition", ALL, ids=lambda d: d.name)
def test_header_is_true(definition):
    _, outputs = shapes(definition)
    with device(definition):
        model = build(definition)
        found = model(*example(definition, rows=4)).shape
    size = sum(p.numel() for p in model.parameters())
    assert definition.header["Size"] == f"{size:,} parameters"
    assert found == (() if outputs is None else (4, *outputs))


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
    given = inputs_of(definition, batch(definition))
    some = model(*(part[1:3] for part in given))
    torch.testing.assert_close(model(*given)[1:3], some, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "definition", [d for d in QUICK if d not in COUNTED + DRAWN + GAMES], ids=lambda d: d.name
)
def test_overfits_one_batch(definition):
    torch.manual_seed(0)
    model = build(definition, **({"dropout": 0.0} if definition in TEXTS else {}))
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
    given = inputs_of(definition, rows)
    torch.testing.assert_close(loaded(*given), model.eval()(*given), rtol=0, atol=0)
    again = type(model).load_from_checkpoint(tmp_path / "model.ckpt")
    torch.testing.assert_close(again.eval()(*given), model(*given), rtol=0, atol=0)


def test_initial_loss_is_that_of_a_guess():
    for definition in [d for d in IMAGES if d in QUICK]:
        torch.manual_seed(0)
        loss = build(definition).step(batch(definition, rows=64)).loss
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
