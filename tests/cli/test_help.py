"""`--help`: the options of what is to be trained, and of what predicts, each with a sentence."""

import inspect
import re
import shlex
import sys
from pathlib import Path

import pytest
import torch
import yaml
from lightning.pytorch import Trainer

from tests.cli.conftest import RECIPE
from tests.conftest import all_architectures, all_recipes, fails, imported
from tests.terminals import Terminal
from zoo.catalogue import architectures, arguments, corpora, definitions, facts, recipes
from zoo.cli import help as help_page
from zoo.cli.foreign_signatures import first_sentence, options_at, trainer_options
from zoo.cli.main import main
from zoo.cli.overlays import overlays
from zoo.cli.predict import families, options
from zoo.cli.run import experiment_of

OF_EACH = [next(r for r in all_recipes() if r.model == d.name) for d in all_architectures()]


def helped(capsys, *argv):
    assert main([*argv, "--help"]) == 0
    return capsys.readouterr().out


def sentences(text):
    """What a help text says of each option, by its name."""
    found = re.findall(
        r"^  ((?:--|\+)\S+)[^\n]*?(?:\s{2,}|\n {10,})(.*?)(?=\n\n|\n  \S)", text, re.M | re.S
    )
    return {name: " ".join(said.split()) for name, said in found}


@pytest.mark.parametrize("recipe", OF_EACH, ids=lambda recipe: recipe.name)
def test_help_of_a_recipe_has_its_options_each_with_a_sentence(recipe, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = helped(capsys, "fit", recipe.name)
    said = sentences(text)
    model, corpus = architectures()[recipe.model], corpora()[recipe.corpus]
    filled = {"model": facts(corpus, definitions()), "data": set()}
    for group, definition in (("model", model), ("data", corpus)):
        for name in set(arguments(definition, definitions())) - filled[group]:
            assert said.pop(f"--{group}.{name}").endswith((".", ")")), name
    assert not [name for name in said if re.fullmatch(r"--(model|data)\.\w+", name)]
    for name, value in recipe.config["model"].get("init_args", {}).items():
        if isinstance(value, dict) and "class_path" in value:
            known = inspect.signature(imported(value["class_path"])).parameters
            assert {f"--model.{name}.{key}" for key in value.get("init_args", {})} <= set(said)
            assert f"--model.{name}.lr" in said or "lr" not in known
    assert {f"--trainer.{name}" for name in help_page.TRAINER} <= set(said)
    assert {f"+{name}" for name in overlays()} <= set(said)
    assert all(said.values())
    assert recipe.summary in " ".join(text.split())
    assert text.count("\n    zoo fit ") == 4


@pytest.mark.parametrize("recipe", OF_EACH, ids=lambda recipe: recipe.name)
@pytest.mark.parametrize("verb", ["fit", "cross-validate", "tune", "submit"])
def test_examples_of_a_help_text_can_be_run(verb, recipe, capsys, monkeypatch):
    tried = []
    for place in ("run.fit", "cross_validate.cross_validate", "tune.verb.tune", "submit.submit"):
        monkeypatch.setattr(f"zoo.cli.{place}", lambda *given: tried.append(given) or 0)
    text = helped(capsys, verb, recipe.name)
    for line in re.findall(r"^    zoo (.*)", text, re.M):
        assert main(shlex.split(line)) == 0
        assert experiment_of(*tried[-1]).name == recipe.name
    assert len(tried) == 4


def test_help_of_a_model_or_a_corpus_alone(capsys):
    model = sentences(helped(capsys, "fit", "--model", "LeNet"))
    assert "--model.activation" in model
    assert not [name for name in model if name.startswith("--data.")]
    corpus = sentences(helped(capsys, "fit", "--data", "FashionMNIST"))
    assert "--data.augment" in corpus
    assert not [name for name in corpus if name.startswith("--model.")]
    pair = helped(capsys, "fit", "--model", "LeNet", "--data", "CIFAR10")
    assert {"--model.activation", "--data.resize"} <= set(sentences(pair))
    assert "--lr 0.001 " in pair


def test_help_shows_what_options_set(capsys):
    text = helped(capsys, "fit", "lenet-fashion_mnist", "--model.optimizer", "SGD", "--lr", "0.3")
    assert "optimizer SGD" in text
    assert "--model.optimizer.nesterov false" in text
    assert "--model.lr_scheduler.max_lr 0.3" in text
    assert "--model.optimizer.lr 0.01" not in text  # of the recipe's Adam
    text = helped(capsys, "fit", "lenet-fashion_mnist", "--model", "MLP", "+bf16")
    assert "--model.hidden_sizes" in text
    assert "--trainer.precision bf16-mixed" in text


def test_help_of_a_verb_alone_leads_to_that_of_a_recipe(capsys):
    text = helped(capsys, "fit")
    assert "zoo fit RECIPE" in text
    assert not [name for name in sentences(text) if name.startswith(("--model.", "--data."))]
    rest = {f"--trainer.{name}" for name in inspect.signature(Trainer).parameters}
    assert set(sentences(text)) & rest == {f"--trainer.{name}" for name in help_page.TRAINER}
    assert rest <= set(sentences(helped(capsys, "fit", "--all")))


def test_help_of_what_is_not_there(capsys):
    assert "did you mean lenet-fashion_mnist?" in fails(capsys, "fit", "lenet-fashion_mnst", "-h")
    assert "did you mean LeNet?" in fails(capsys, "fit", "--help", "--model", "LeNt")
    assert "missing.yaml" in fails(capsys, "tune", "--config", "missing.yaml", "--help")


def test_help_imports_nothing_that_is_named(capsys, evil):
    Path("evil.yaml").write_text("model: {class_path: evil.C}\ndata: FashionMNIST\n")
    for argv in (["--config", "evil.yaml"], ["--model", "evil.C"], ["--data", "evil_package.C"]):
        helped(capsys, "fit", *argv, "--lr", "1", "--allow", "evil")
        words = ["fit", *argv, "--model.optimizer", "evil.C", "--model.optimizer."]
        assert main(["completion", "fish", *words]) == 0
    assert not evil.exists()


OWN = """
from lightning.pytorch import LightningModule

class Mine(LightningModule):
    '''Has a gain.

    Args:
        gain: Factor of the logits.
        lr: Learning rate.
    '''

    def __init__(self, gain: float = 2.0, lr: float = 0.1) -> None:
        super().__init__()
"""


def test_help_of_a_users_own_model(capsys, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "gained.py").write_text(OWN)
    named = ("--model", "gained.Mine", "--data", "FashionMNIST", "--allow", "gained")
    text = helped(capsys, "fit", *named)
    assert "--model.gain 2.0" in text
    assert "Factor of the logits." in text
    assert "--lr 0.1 " in text
    assert "Its options are known once" in helped(capsys, "fit", "--model", "os.path.Gone")


def test_help_of_predict_is_grouped_by_task(capsys):
    with pytest.raises(SystemExit):
        main(["predict", "--help"])
    text = capsys.readouterr().out
    own = text.partition("\n\noptions:")[2]
    for name, family in families().items():
        title = f"\n{name.replace('_', ' ')} ({family.DOES}):"
        assert text.count(title) == 1
        part = own.partition(title)[2].partition("\n\n")[0]
        assert set(re.findall(r"^  --(\w+)", part, re.M)) == options(family)


# What is read from the files of torch and Lightning

OPTIMIZERS = [n for n, v in vars(torch.optim).items() if isinstance(v, type) and n != "Optimizer"]
SCHEDULES = ("OneCycleLR", "StepLR", "CosineAnnealingLR", "CyclicLR", "ExponentialLR", "LinearLR")


@pytest.mark.parametrize(
    "path",
    [
        "lightning.pytorch.Trainer",
        *(f"torch.optim.{name}" for name in OPTIMIZERS),
        *(f"torch.optim.lr_scheduler.{name}" for name in SCHEDULES),
    ],
)
def test_options_of_libraries_are_those_of_their_signatures(path):
    known = {option.name: option for option in options_at(path)}
    real = inspect.signature(imported(path)).parameters
    assert set(known) == set(real) - {"params", "optimizer", "last_epoch"}
    for name, option in known.items():
        assert (option.default is None) == (real[name].default is inspect.Parameter.empty)
    said = [first_sentence(option.text) for option in known.values()]
    assert not [text for text in said if re.search(r"[dD]efault: |``|:class:", text)]


def test_the_options_that_matter_are_the_trainers():
    assert len(help_page.TRAINER) == 15
    assert set(help_page.TRAINER) <= set(inspect.signature(Trainer).parameters)
    real = {n: p.default for n, p in inspect.signature(Trainer).parameters.items()}
    for name, option in trainer_options().items():
        assert yaml.safe_load(option.default) == real[name], name


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("learning rate (default: 1e-3). A tensor\n  LR is not.", "Learning rate."),
        ("The ``n`` of :class:`torch.A`. Default: ``None``.", "The n of A."),
        ("{'cos', 'linear'} Kind, e.g. cos. More.", "Kind, e.g. cos."),
        ("part (0.1). Default: 1", "Part (0.1)."),
        ("", ""),
    ],
)
def test_the_first_sentence_of_a_text(text, sentence):
    assert first_sentence(text) == sentence


@pytest.mark.parametrize("columns", [80, 200])
@pytest.mark.parametrize("argv", [["fit", RECIPE, "--help"], ["predict", "--help"]], ids=" ".join)
def test_help_fits_a_terminal(argv, columns):
    code, text = Terminal([sys.executable, "-m", "zoo.cli", *argv], columns).end()
    assert code == 0
    long = [line for line in text.splitlines() if len(line) > min(columns, 100)]
    assert not [line for line in long if len(line.split()) > 2 and "zoo fit" not in line]
    assert "usage: zoo" in text
    assert recipes()[RECIPE].model in text or argv[0] == "predict"
