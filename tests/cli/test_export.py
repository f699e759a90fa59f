"""Exports: graphs that compute what the module does, and every architecture's."""

import json
import re
from pathlib import Path
from unittest.mock import Mock

import jaxtyping
import onnxruntime
import pytest
import torch

import datamodules
import zoo
from tests.architectures.conftest import narrow
from tests.cli.conftest import CASES, assert_same, exported, write_safetensors
from tests.conftest import all_architectures, fails, imported
from zoo.catalogue import architectures
from zoo.checkpoints import safetensors_file
from zoo.checkpoints.checkpoint import corpus_state, read
from zoo.cli.main import main
from zoo.errors import InputError
from zoo.export import formats
from zoo.export.graph import Graph, graph_of

REFUSED = ("NGram", "NeuralStyle", "Surface")


LONG = ("NiN", "Transformer", "TransformerLanguageModel")  # to export


GRAPHS = [
    pytest.param(name, marks=[pytest.mark.slow] * (name in LONG))
    for name in CASES
    if name not in REFUSED
]


@pytest.fixture(autouse=True, scope="module")
def _traced_with_symbols():
    """Sizes are symbols in tracing, and no ints."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)


# Graphs


def inputs_and_outputs(name, path, rows, longer):
    """Inputs of a graph, drawn here, and what the module makes of them the zoo's own way."""
    model, state = zoo.load(path), corpus_state(read(path))
    generator = torch.Generator().manual_seed(rows)

    def tokens(number, steps):
        return torch.randint(number, (rows, steps), generator=generator)

    def lengths(steps):
        return torch.randint(1, steps + 1, (rows,), generator=generator).clamp(max=steps)

    if name in ("LeNet", "NiN", "TinySSD", "FastStyle"):
        side = 32 if name == "FastStyle" else state["resize"] or state["size"]
        shape = (rows, len(state.get("mean", (1, 1, 1))), side, side)
        if longer and name in ("NiN", "FastStyle"):
            shape = (*shape[:2], side + 9, side + 21)
        pixels = torch.randint(256, shape, generator=generator, dtype=torch.uint8)
        corpus = getattr(datamodules, CASES[name][0])(synthetic=True, **CASES[name][1])
        images = corpus.normalise(pixels)
        given = {"pixels": pixels / 255}
        if name == "TinySSD":
            logits, offsets = model(images).split((model.num_classes + 1, 4), 2)
            return given, (logits.softmax(2), offsets), model.predict_step((images, None), 0)
        painted = model(images)
        return given, corpus.denormalise(painted) if name == "FastStyle" else painted, None
    if name == "MLPRegressor":
        features = torch.randn(rows, len(model.hidden[0].weight[0]), generator=generator)
        return {"features": features}, model.predict_step((features, None), 0), None
    if name == "DCGAN":
        noise = torch.randn(rows, 6, generator=generator)
        return {"noise": noise}, (model(noise) + 1) / 2, None
    if name == "FastText":
        words = tokens(len(state["vocabulary"]), 1)[:, 0]
        return {"words": words}, model.table()[words], None
    if "source_vocabulary" in state:
        source = tokens(len(state["source_vocabulary"]), 6 + longer)
        given = {"source": source, "source_lengths": lengths(6 + longer)}
        given["tokens"] = tokens(len(state["target_vocabulary"]), 5 + 2 * longer)
        return given, model(*given.values()), None
    steps = {"BidirectionalRNN": 5}.get(name, 9) + 4 * longer
    given = {"tokens": tokens(len(state["vocabulary"]), steps)}
    if name == "BidirectionalRNN":
        given["lengths"] = lengths(steps)
    return given, model(*given.values()), None


@torch.no_grad()
def worst(name, path, run, longer):
    """The greatest difference at several numbers of rows, and lengths where they are free."""
    apart = 0.0
    for rows in (1, 2, 7):
        given, expected, objects = inputs_and_outputs(name, path, rows, longer and rows == 7)
        found = run(given)
        if objects is not None:
            expected = expected[:1]
            for picture, each in enumerate(objects[:2]):  # the best of each is at an anchor
                scores = found[0][picture, :, 1:].amax(1)
                best = found[1][picture, scores.argmax()]
                if len(each.boxes):
                    torch.testing.assert_close(best, each.boxes[0], rtol=0, atol=1e-4)
        parts = expected if isinstance(expected, tuple) else (expected,)
        for one, other in zip(found, parts, strict=False):
            assert one.shape == other.shape
            apart = max(apart, float((one - other).abs().max()))
    return apart


@pytest.mark.parametrize("name", GRAPHS)
def test_onnx_computes_what_the_module_does(name, checkpoint, capsys):
    path = exported(checkpoint(name), "onnx", "a.onnx")
    assert re.search(r"checked: +max difference \d\.\de[+-]\d\d", capsys.readouterr().out)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(given):
        assert [each.name for each in session.get_inputs()] == list(given)
        found = session.run(None, {key: value.numpy() for key, value in given.items()})
        return [torch.from_numpy(each) for each in found]

    assert worst(name, checkpoint(name), run, longer=True) < 1e-4
    held = json.loads(session.get_modelmeta().custom_metadata_map["zoo"])
    state = corpus_state(read(checkpoint(name)))
    for key in ("labels", "vocabulary", "target_vocabulary", "encoder"):
        assert held["corpus"].get(key) == state.get(key)


@pytest.mark.parametrize("name", GRAPHS)
def test_programs_compute_what_the_module_does(name, checkpoint):
    path = exported(checkpoint(name), "export", "a.pt2")
    extra = {"zoo.json": ""}
    module = torch.export.load(path, extra_files=extra).module()

    def run(given):
        found = module(*given.values())
        return found if isinstance(found, tuple) else (found,)

    unrolled = ("GRU", "BidirectionalTagger", "BidirectionalRNN", "Seq2Seq")  # of one length
    assert worst(name, checkpoint(name), run, longer=name not in unrolled) < 1e-4
    assert json.loads(extra["zoo.json"])["class_path"].endswith(f".{name}")


def test_static_graphs_are_of_one_row(checkpoint, capsys):
    path = exported(checkpoint("GRU"), "onnx", "a.onnx", "--static", "--opset", "18")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [each.shape for each in session.get_inputs()] == [[1, 9]]
    assert "free none; fixed batch 1, steps 9" in capsys.readouterr().out


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("kernel", ["torch", "equation"])
def test_recurrent_layers_are_the_same_as_operators_and_step_by_step(cell, kernel):
    from zoo.export.recurrent import prepare

    name = {"rnn": "RNN", "gru": "GRU", "lstm": "LSTM"}[cell]
    options = {"num_layers": 2, "kernel": kernel, "hidden_size": 5}
    options |= {"reset": "before"} if (cell, kernel) == ("gru", "equation") else {}
    definition = architectures()[name]
    for as_operators in (True, False):
        torch.manual_seed(0)
        model = imported(definition.class_path)(9, **options).eval()
        tokens = torch.randint(9, (3, 6))
        before = model(tokens)
        prepare(model, set(), as_operators=as_operators)
        torch.testing.assert_close(model(tokens), before, rtol=0, atol=1e-6)


def test_what_differs_is_not_kept(checkpoint, monkeypatch, capsys):
    monkeypatch.setattr(formats, "TOLERANCE", -1.0)
    for kind in ("onnx", "export"):
        line = fails(capsys, "export", str(checkpoint("MLPRegressor")), "--format", kind)
        assert "its outputs differ by" in line
        assert "--format safetensors" in line


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_graph_is_said(name, checkpoint, capsys):
    for kind in ("onnx", "export"):
        line = fails(capsys, "export", str(checkpoint(name)), "--format", kind)
        assert f"{name} " in line
        assert "--format safetensors" in line


def test_options_that_do_not_fit_are_refused(checkpoint, monkeypatch, capsys):
    given = ("export", str(checkpoint("GRU")), "--format")
    Path("folder.onnx").mkdir()
    Path("file").touch()
    for options, words in [
        (["onx"], "did you mean onnx"),
        (["export", "--opset", "18"], "--opset is of ONNX"),
        (["onnx", "--opset", "3"], "opset is 3; it has to be from 18"),
        (["safetensors", "--static"], "--static is of graphs"),
        (["onnx", "--output", "a.pt2"], "has to end in .onnx"),
        (["onnx", "--output", "folder.onnx"], "folder.onnx: a folder"),
        (["onnx", "--output", "file/a.onnx"], "file/a.onnx: cannot be written"),
    ]:
        assert words in fails(capsys, *given, *options)
    assert "no such checkpoint" in fails(capsys, "export", "none.ckpt", "--format", "onnx")
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    line = fails(capsys, *given, "onnx")
    assert "onnx, onnxscript, onnxruntime: pip install 'deep-learning-zoo[export]'" in line


def test_an_export_that_fails_leaves_no_folder(checkpoint, capsys):
    path = Path("runs/surface-gradient_noise/1/checkpoints/best.ckpt")
    path.parent.mkdir(parents=True)
    path.write_bytes(checkpoint("Surface").read_bytes())
    assert "reads no input" in fails(capsys, "export", str(path), "--format", "onnx")
    argv = ("export", str(path), "--format", "safetensors", "--output", "a/b/c.safetensors")
    (path.parent.parent / "config.yaml").write_text("{}")
    (path.parent.parent / "test.json").write_text("[]")
    assert "test.json: cannot be read" in fails(capsys, *argv)


def test_a_generator_of_labelled_pictures_takes_labels(tmp_path):
    sizes = {"in_channels": 1, "image_size": 28, "latent_dim": 6, "width_ratio": 1 / 16}
    model = imported("zoo.generation.dcgan.DCGAN")(**sizes, num_classes=3, conditional=True)
    held = {"zoo": {"class_path": "zoo.generation.dcgan.DCGAN"}, "hyper_parameters": {}}

    def rebuilt(other):
        return graph_of(other, held, "a.ckpt")

    options = {"onnx": False, "opset": None, "static": False, "metadata": "{}"}
    formats.export_graph(rebuilt(model), rebuilt, model, tmp_path / "a.pt2", **options)
    module = torch.export.load(tmp_path / "a.pt2").module()
    noise, labels = torch.randn(3, 6), torch.tensor([0, 2, 1])
    expected = (model.eval()(noise, labels) + 1) / 2
    torch.testing.assert_close(module(noise, labels), expected, rtol=0, atol=1e-6)


def test_a_checkpoint_is_not_written_over(checkpoint, capsys):
    path = exported(checkpoint("GRU"), "safetensors", "a.safetensors")
    line = fails(capsys, "export", str(path), "--format", "safetensors")
    assert "the checkpoint itself" in line


def test_a_users_own_class_is_exported_when_its_package_is_allowed(tmp_path, monkeypatch, capsys):
    (tmp_path / "own_nets.py").write_text(
        "from zoo.image_classification.lenet import LeNet\nclass Mine(LeNet): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    model = zoo.LeNet(in_channels=1, num_classes=10)
    held = {
        "zoo": {"class_path": "own_nets.Mine"},
        "hyper_parameters": {"in_channels": 1, "num_classes": 10},
        "state_dict": model.state_dict(),
    }
    torch.save(held, "mine.ckpt")
    argv = ("export", "mine.ckpt", "--format", "export")
    assert "own_nets.Mine is not of the zoo" in fails(capsys, *argv)
    assert main([*argv, "--allow", "own_nets"]) == 0
    module = torch.export.load("mine.pt2").module()
    images = torch.rand(3, 1, 28, 28)
    torch.testing.assert_close(module(images), model.eval()(images), rtol=0, atol=1e-5)
    assert "of which the checkpoint says nothing" in capsys.readouterr().out


def test_a_users_own_architecture_is_exported_where_its_input_is_known(
    checkpoint, tmp_path, monkeypatch, capsys
):
    (tmp_path / "own_flat.py").write_text(
        "from torch import nn\n"
        "from zoo.image_classification.task import ImageClassifier\n"
        "class Flat(ImageClassifier):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))\n"
        "    def forward(self, images):\n"
        "        return self.layers(images)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    held = read(checkpoint("LeNet"))
    held["zoo"]["class_path"], held["hyper_parameters"] = "own_flat.Flat", {}
    held["state_dict"] = {"layers.1.weight": torch.ones(10, 784), "layers.1.bias": torch.zeros(10)}
    torch.save(held, "flat.ckpt")
    argv = ("export", "flat.ckpt", "--format", "onnx", "--allow", "own_flat")
    assert main([*argv]) == 0
    held["zoo"]["corpus"] = None
    torch.save(held, "flat.ckpt")
    Path("flat.onnx").unlink()
    assert "what Flat reads is not known" in fails(capsys, *argv)


def test_a_difference_is_relative_to_large_outputs():
    def found(value):
        inputs = [torch.tensor([float(value)])]
        graph = Mock(spec=Graph, network=torch.nn.Identity(), examples=lambda *_: inputs)
        return formats.compared(graph, lambda given: [given + 1e-3], [{"batch": 1}])

    assert found(1000) == pytest.approx(1e-6, rel=0.1)
    assert found(0.1) == pytest.approx(1e-3, rel=0.1)
    assert found("nan") == float("inf")


# Every architecture


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["onnx", "export", "safetensors"])
@pytest.mark.parametrize("definition", all_architectures(), ids=lambda d: d.name)
def test_every_architecture_is_exported_or_refused(definition, kind, tmp_path):
    torch.manual_seed(0)
    model = narrow(definition).eval()
    held = {
        "zoo": {"class_path": definition.class_path, "corpus": None},
        "hyper_parameters": dict(model.hparams),
        "state_dict": model.state_dict(),
    }
    if kind == "safetensors":
        write_safetensors(held, tmp_path / "a.safetensors")
        found = safetensors_file.read(tmp_path / "a.safetensors")
        assert_same(dict(held["state_dict"]), found["state_dict"])
        return

    def rebuilt(other):
        return graph_of(other, held, "a.ckpt")

    if definition.name in REFUSED:
        with pytest.raises(InputError, match="--format safetensors"):
            rebuilt(model)
        return
    graph, path = rebuilt(model), tmp_path / "graph"
    options = {"onnx": kind == "onnx", "opset": None, "static": False, "metadata": "{}"}
    found = formats.export_graph(graph, rebuilt, model, path, **options)
    print(f"{definition.name} {kind} {found.difference:.1e} {found.free} {graph.sizes}")
    assert found.difference <= 1e-4
    assert "batch" in found.free
