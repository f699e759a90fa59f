"""Where Lightning's loops and foreign corpora are reached into, and methods replaced: one place."""

import ast
from collections.abc import Iterator

import pytest

from tests.laws.conftest import chains, sources

LOOPS = {"fit_loop", "validate_loop", "test_loop", "predict_loop"}  # of a Trainer
METHODS = {  # of classes of the zoo
    item.name
    for tree in sources("zoo").values()
    for node in ast.walk(tree)
    if isinstance(node, ast.ClassDef)
    for item in node.body
    if isinstance(item, ast.FunctionDef)
}


def loops(tree: ast.AST) -> list[str]:
    """Where a source looks into the loops of a Trainer."""
    return [".".join(names) for names in chains(tree) if LOOPS & {*names[1:]}]


def asked(tree: ast.AST) -> Iterator[str]:
    """Names that a source asks a corpus for as it runs, or a Trainer for its corpus."""
    for node in ast.walk(tree):
        text = ast.unparse(node) if isinstance(node, ast.Call | ast.Attribute) else ""
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "hasattr"):
            subject = ast.unparse(node.args[0]).rpartition(".")[2]
            if subject in ("corpus", "datamodule") or "'datamodule'" in text:
                yield text
        elif text.endswith("trainer.datamodule") and not text.startswith("cli."):
            yield text


def replaced(tree: ast.AST) -> Iterator[str]:
    """Methods that a source replaces on an object as it runs."""
    bodies = [node for node in ast.walk(tree) if isinstance(node, ast.Module | ast.FunctionDef)]
    functions = {item.name for n in bodies for item in n.body if isinstance(item, ast.FunctionDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "setattr":
            if isinstance(name := node.args[1], ast.Constant) and name.value in METHODS:
                yield ast.unparse(node)
        elif isinstance(node, ast.Assign):
            for target, value in pairs(node):
                made = value.func if isinstance(value, ast.Call) else value
                callable_ = isinstance(made, ast.Lambda) or ast.unparse(made).rpartition(".")[
                    2
                ] in (
                    *("partial", "MethodType"),
                    *(functions if made is value else ()),
                )
                if isinstance(target, ast.Attribute) and target.attr in METHODS and callable_:
                    yield ast.unparse(node)


def pairs(node: ast.Assign) -> Iterator[tuple[ast.expr, ast.expr]]:
    """The targets of an assignment and what each gets."""
    for target in node.targets:
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            yield from zip(target.elts, node.value.elts, strict=False)
        else:
            yield target, node.value


@pytest.mark.parametrize("package", ["zoo", "datamodules"])
def test_one_file_each_side_looks_into_the_loops(package):
    found = {module: loops(tree) for module, tree in sources(package).items() if loops(tree)}
    assert len(found) <= 1, found


def test_one_file_asks_what_a_corpus_has():
    found = {
        module: names
        for module, tree in sources("zoo").items()
        if not module.startswith("zoo.cli.") and (names := [*asked(tree)])
    }
    assert len(found) <= 1, found


def test_no_method_is_replaced():
    """Only the tuners wrap hooks of a model, as long as they measure it."""
    found = {
        module: names
        for module, tree in sources("zoo").items()
        if not module.startswith("zoo.cli.tune.") and (names := [*replaced(tree)])
    }
    assert found == {}


@pytest.mark.parametrize(
    ("law", "text"),
    [
        (loops, "trainer.fit_loop.epoch_loop.batch_progress.total.ready"),
        (loops, "def f(self):\n return self.trainer.validate_loop.batch_progress"),
        (asked, "getattr(self.trainer, 'datamodule', None)"),
        (asked, "hasattr(corpus, 'vocab')"),
        (asked, "getattr(trainer.datamodule, 'labels')"),
        (asked, "corpus = trainer.datamodule"),
        (replaced, "def other(): ...\nmodel.forward = other"),
        (replaced, "model.read = partial(_read, model)"),
        (replaced, "def f(model):\n def g(): ...\n model.step = g"),
        (replaced, "def g(): ...\nmodel.loss, model.step = 1, g"),
        (replaced, "self.step = lambda batch: batch"),
        (replaced, "setattr(model, 'step', g)"),
        (replaced, "model.step = MethodType(g, model)"),
    ],
)
def test_what_reaches_too_far_is_seen(law, text):
    assert [*law(ast.parse(text))]
