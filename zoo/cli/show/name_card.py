"""show --card: an architecture or a recipe as a model card in Markdown. No torch.

Source: Mitchell et al. 2019, https://arxiv.org/abs/1810.03993
"""

from collections.abc import Iterable, Iterator
from itertools import groupby

from zoo.catalogue import Definition, Recipe, architectures, corpora, recipes
from zoo.cli.markdown import cell, licence, table
from zoo.cli.names import pick
from zoo.cli.overlays import overlays
from zoo.cli.show.docstrings import Option, options_of, read
from zoo.errors import InputError
from zoo.version import zoo_version

Pair = tuple[str, str]
NOT_MEASURED = "not measured yet"


def show_card(name: str) -> None:
    """Prints the card of an architecture or a recipe.

    Raises:
        InputError: The name is neither.
    """
    others = (*corpora(), *(f"+{overlay}" for overlay in overlays()))
    if name.lower() in map(str.lower, others):
        raise InputError(f"--card is for models and recipes: {name} is neither")
    name = pick("model or recipe", name, [*architectures(), *recipes()])
    lines = _of_recipe(recipes()[name]) if name in recipes() else _of_model(architectures()[name])
    print("\n".join(lines))


def _of_model(definition: Definition) -> Iterator[str]:
    own = [recipe for recipe in recipes().values() if recipe.model == definition.name]
    said = read(definition.docstring)
    yield f"# {definition.name}"
    for paragraph in said.paragraphs:
        yield from ["", paragraph]
    yield ""
    trained_on = dict.fromkeys(recipe.corpus for recipe in own)
    yield from table(("", ""), [*_architecture(definition), *_corpora(trained_on), *_terms()])
    yield from ["", "## Use", "", "```bash"]
    yield from (f"zoo fit {recipe.name}  # {recipe.summary}" for recipe in own)
    yield from ["```", "", "```python", f"from zoo import {definition.name}", ""]
    known = options_of(definition)
    required = ", ".join(f"{option.name}=..." for option in known if option.default is None)
    yield from [f"model = {definition.name}({required})", "```", "", *_after(), "", "## Options"]
    for owner, some in groupby(known, lambda option: option.owner):
        whose = "" if owner == definition.name else f"Of every {owner}:"
        yield from ["", whose, ""] if whose else [""]
        yield from table(("option", "default", "what it is"), map(_option, some))
    yield from ["", "## Results", ""]
    yield from table(("recipe", "measured"), [(f"`{r.name}`", _measured(r)) for r in own])
    yield from _limits(definition, own)


def _of_recipe(recipe: Recipe) -> Iterator[str]:
    definition = architectures()[recipe.model]
    yield from [f"# {recipe.name}", "", recipe.summary, ""]
    yield from table(("", ""), [*_architecture(definition), *_corpora([recipe.corpus]), *_terms()])
    yield from [
        "",
        "## Use",
        "",
        "```bash",
        f"zoo fit {recipe.name}",
        "```",
        "",
        *_after(recipe.name),
    ]
    yield from ["", "## Results", "", cell(_measured(recipe))]
    yield from ["", "## Settings", "", "```yaml", recipe.text.rstrip(), "```"]
    yield from _limits(definition, [recipe])


def _architecture(definition: Definition) -> Iterator[Pair]:
    header = definition.header
    yield "architecture", f"`{definition.class_path}`: {definition.summary}"
    for name in ("Paper", "Shapes"):  # a model of another package may not say
        if name in header:
            yield name.lower(), header[name]
    if "Size" in header:
        yield "size", f"{header['Size']} with its defaults, at these shapes"


def _corpora(names: Iterable[str]) -> Iterator[Pair]:
    for name in names:
        definition = corpora()[name]
        source = definition.header.get("Source", "")
        yield "corpus", f"`{definition.class_path}`: {definition.summary} {source}".rstrip()


def _terms() -> Iterator[Pair]:
    yield "zoo", zoo_version()
    yield "licence", licence()


def _after(recipe: str = "RECIPE") -> Iterator[str]:
    """What a reader does then."""
    yield "`--data.synthetic true` trains on a generated stand-in where the corpus is not at hand."
    yield "It prints how large the network is, and at its end the commands that test and use it;"
    path = f"runs/{recipe}/1/checkpoints/last.ckpt"
    yield f'`zoo.load("{path}")` gives it back in Python.'


def _option(option: Option) -> tuple[str, str, str]:
    default = "" if option.default is None else f"`{option.default}`"
    filled = "by the corpus" + (f", or {default}" if default else "")
    return f"`{option.name}`", filled if option.linked else default or "to be given", option.text


def _measured(recipe: Recipe) -> str:
    return recipe.result.removeprefix(f"{recipe.name}: ") or NOT_MEASURED


def _limits(definition: Definition, measured: list[Recipe]) -> Iterator[str]:
    """What is refused, and what nobody has measured."""
    yield from ["", "## Limits", ""]
    for error, text in read(definition.docstring).errors.items():
        yield f"- Refused ({error}): {cell(text)}"
    without = [f"`{recipe.name}`" for recipe in measured if not recipe.result]
    if without:
        yield f"- Not measured: {', '.join(without)}."
    yield "- Figures are of the corpus, the rows and the seed that they name, and of no others."
    yield "- What was trained knows only what its corpus shows; it was not examined for bias."
