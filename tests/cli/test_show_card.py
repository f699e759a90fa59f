"""show as a reader sees it: every name, every option, as wide as the terminal; model cards."""

import ast
import inspect
import re
import subprocess
import sys

import pytest
import yaml

from tests.conftest import ROOT, all_architectures, all_recipes, fails, imported
from zoo.catalogue import architectures, arguments, corpora, definitions, recipes
from zoo.cli.main import main
from zoo.cli.overlays import overlays
from zoo.cli.show.docstrings import options_of, read

CLASSES = [*architectures().values(), *corpora().values()]
NAMES = [*architectures(), *corpora(), *recipes(), *(f"+{name}" for name in overlays())]
CARDS = [*architectures(), *recipes()]
OTHERWISE = {"1e-05": 1e-05}  # is written, or read by the command


def shown(capsys, *argv):
    assert main(["show", *argv]) == 0
    return capsys.readouterr().out


def is_whole(line, width):
    """Whether a line is no wider than it has to be: of one long word, or of a command."""
    text = re.sub(r"`[^`]*`\S*", lambda span: span[0].replace(" ", "_"), line)
    return len(line) <= width or len(text.split()) <= 1 + text.startswith("File:")


@pytest.mark.parametrize("width", [60, 100])
@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_as_wide_as_the_terminal_and_has_no_markup(name, width, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    text = shown(capsys, name)
    first, *lines = text.splitlines()
    assert first == name
    if name.lstrip("+") in {**recipes(), **overlays()}:
        of = recipes().get(name) or overlays()[name[1:]]
        assert of.text.rstrip() in text  # as it is, to be copied
        lines = text.partition(of.text.rstrip())[2].splitlines()
    said = next((each.docstring for each in CLASSES if each.name == name), "").splitlines()
    assert all(is_whole(line, width) for line in lines if line not in said), max(lines, key=len)
    assert not re.search(r"^\s*(Args|Raises|Attributes|Returns):|\*\*\w|``", text, re.M)
    assert "\n\n\n" not in text
    assert lines[-1].strip()


@pytest.mark.parametrize("definition", CLASSES, ids=lambda definition: definition.name)
def test_a_page_says_what_each_option_is(definition, capsys):
    text = shown(capsys, definition.name)
    known = options_of(definition)
    assert {option.name for option in known} == set(arguments(definition, definitions()))
    for option in known:
        assert re.search(rf"^  {option.name}\b", text, re.M)
        assert option.text.endswith((".", ")", "]")), option
        assert " ".join(option.text.split()) in " ".join(text.split())


@pytest.mark.parametrize("definition", CLASSES, ids=lambda definition: definition.name)
def test_defaults_are_those_of_python_as_yaml_has_them(definition):
    real = {}
    for cls in reversed(imported(definition.class_path).__mro__):
        if cls.__module__.startswith(("zoo", "datamodules")) and "__init__" in vars(cls):
            real |= inspect.signature(cls.__init__).parameters
    for option in options_of(definition):
        default = real[option.name].default
        if default is inspect.Parameter.empty:
            assert option.default is None
        elif inspect.isfunction(default):
            assert option.default.lower() == default.__name__
        else:
            told = OTHERWISE.get(option.default, yaml.safe_load(option.default))
            assert told == plain(default), option


def plain(value):
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def test_a_docstring_is_parted():
    said = read(
        "What it is.\n\nMore of\nit.\n\n    y = x\n\n"
        "Args:\n    a: The first,\n        wrapped: so.\n    b: Else.\n\n"
        "Raises:\n    InputError: Never.\n"
    )
    assert said.paragraphs == ["What it is.", "More of\nit.", "    y = x"]
    assert said.arguments == {"a": "The first, wrapped: so.", "b": "Else."}
    assert said.errors == {"InputError": "Never."}


def test_a_formula_is_not_wrapped(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    formula = "\n    p(w | h) = max(c(h w) - d, 0) / c(h) + d t(h) / c(h) p(w | h')\n"
    assert formula in shown(capsys, "NGram")


# Cards


def parts(card):
    """Title -> text of the sections of a card."""
    return dict(re.findall(r"^##? (.+)\n((?:(?!##? ).*\n)*)", card, re.M))


@pytest.mark.parametrize("name", CARDS)
def test_a_card_is_whole(name, capsys):
    card = shown(capsys, name, "--card")
    assert card.startswith(f"# {name}\n")
    assert str(ROOT) not in card
    assert card.count("```") % 2 == 0
    tables = re.findall(r"(?:^\| .*\n)+", card, re.M)
    assert tables
    for rows in tables:
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows.splitlines()}) == 1
    of = architectures()[recipes()[name].model if name in recipes() else name]
    text = " ".join(card.split())
    for said in (of.header["Paper"], of.header["Size"], of.summary, "MIT (the zoo)"):
        assert said.replace("<", "&lt;").replace(">", "&gt;") in text
    assert {"Use", "Results", "Limits"} < parts(card).keys()


@pytest.mark.parametrize("definition", all_architectures(), ids=lambda d: d.name)
def test_a_card_of_an_architecture_has_its_options_and_its_recipes(definition, capsys):
    sections = parts(shown(capsys, definition.name, "--card"))
    for option in options_of(definition):
        assert f"| `{option.name}` | " in sections["Options"]
    own = [recipe for recipe in all_recipes() if recipe.model == definition.name]
    assert sections["Results"].count("\n| `") == len(own)
    for recipe in own:
        assert f"zoo fit {recipe.name} " in sections["Use"]
        measured = recipe.result.partition(": ")[2] or "not measured yet"
        assert f"| `{recipe.name}` | {measured.replace('>', '&gt;')} |" in sections["Results"]
        assert corpora()[recipe.corpus].class_path in sections[definition.name]
        unmeasured = re.search(r"^- Not measured: .*$", sections["Limits"], re.M)
        assert (f"`{recipe.name}`" in unmeasured[0] if unmeasured else False) != bool(recipe.result)
    (code,) = re.findall(r"```python\n(.*?)```", sections["Use"], re.S)
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    given = [keyword.arg for keyword in calls[0].keywords]
    signature = inspect.signature(imported(definition.class_path))
    signature.bind(**dict.fromkeys(given))  # all that has to be given


@pytest.mark.parametrize("recipe", all_recipes(), ids=lambda recipe: recipe.name)
def test_a_card_of_a_recipe_has_its_settings_and_its_result(recipe, capsys):
    sections = parts(shown(capsys, recipe.name, "--card"))
    (settings,) = re.findall(r"```yaml\n(.*?)```", shown(capsys, recipe.name, "--card"), re.S)
    assert yaml.safe_load(settings) == recipe.config
    assert recipe.summary in sections[recipe.name]
    assert f"zoo fit {recipe.name}\n" in sections["Use"]
    measured = recipe.result.partition(": ")[2] or "not measured yet"
    assert sections["Results"].strip() == measured.replace(">", "&gt;")


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["FashionMNIST", "--card"], "for models and recipes: FashionMNIST is neither"),
        (["+ddp", "--card"], "+ddp is neither"),
        (["lenett", "--card"], "did you mean LeNet?"),
        (["LeNet", "--card", "--layers"], "not allowed with"),
        (["LeNet", "--card", "--output", "x.png"], "add --augmented"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_has_no_card_is_said_in_one_line(argv, words, capsys):
    assert words in fails(capsys, "show", *argv)


@pytest.mark.parametrize("name", ["LeNet", "lenet-fashion_mnist"])
def test_a_card_needs_no_torch(name):
    code = (
        f"import sys; from zoo.cli.main import main\nmain(['show', '{name}', '--card'])\n"
        "assert not {'torch', 'lightning', 'numpy'} & set(sys.modules), 'heavy'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
