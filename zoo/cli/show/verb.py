"""show: one model, corpus, recipe or overlay, for a reader at a terminal. No torch."""

import argparse
import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from textwrap import TextWrapper

from zoo.catalogue import Definition, Recipe, architectures, corpora, definitions, facts, recipes
from zoo.cli.names import listed, pick
from zoo.cli.overlays import overlays
from zoo.cli.report import plain_console
from zoo.cli.show.docstrings import Option, options_of, read
from zoo.cli.show.name_card import show_card
from zoo.errors import InputError

MOST = 100  # columns: longer lines are hard to read
WHOLE = "\N{NO-BREAK SPACE}"
HEAD = 30  # columns of an option, before what it is


def show(options: argparse.Namespace, overrides: list[str]) -> int:
    """Prints one model, corpus, recipe or overlay: its page, card or layers; or draws pictures.

    Raises:
        InputError: The name is none of them, or an option is for pictures alone.
    """
    if (overrides or options.output) and not (options.augmented or options.batch):
        raise InputError("--output and --data.X are for pictures: add --augmented or --batch")
    if options.layers:
        from zoo.cli.show.layers import show_layers

        show_layers(options.name)
    elif options.augmented:
        from zoo.cli.show.augmented import show_augmented

        show_augmented(options.name, options.output, overrides)
    elif options.batch:
        from zoo.cli.show.batch import show_batch

        show_batch(options.name, options.output, overrides, options.allow)
    elif options.card:
        show_card(options.name)
    else:
        _show_page(options.name)
    return 0


def _show_page(name: str) -> None:
    """Prints one model, corpus, recipe or overlay, as wide as the terminal.

    Raises:
        InputError: The name is none of them.
    """
    added = {f"+{name}": overlay for name, overlay in overlays().items()}
    if name.startswith("+"):
        name = pick("overlay", name, added)
    else:
        names = [*architectures(), *corpora(), *recipes()]
        name = pick("model, corpus or recipe", name, names)
    console = plain_console()
    width = min(console.width, MOST)
    if name in added:
        text, path = added[name].text, added[name].path
        lines = [text.rstrip(), "", f"File:   {path}", f"Train:  zoo fit RECIPE {name}"]
    elif name in recipes():
        lines = list(_recipe_page(recipes()[name], width))
    elif name in architectures():
        lines = list(_page(architectures()[name], "model", width))
    else:
        lines = list(_page(corpora()[name], "data", width))
    console.print(name, style="bold")
    for line in lines:
        console.print(line, soft_wrap=True)


def _recipe_page(recipe: Recipe, width: int) -> Iterator[str]:
    """The file as it is, then what it trains."""
    yield recipe.text.rstrip()
    yield ""
    for title, known in (("Model", architectures()), ("Corpus", corpora())):
        name = recipe.model if title == "Model" else recipe.corpus
        yield from _entry(title, f"{name}: {known[name].summary}", width)
    if recipe.result:
        yield from _entry("Result", recipe.result.removeprefix(f"{recipe.name}: "), width)
    yield f"File:   {recipe.path}"
    yield f"Train:  zoo fit {recipe.name}"


def _page(definition: Definition, group: str, width: int) -> Iterator[str]:
    """Of a model or a corpus: what it is, its header, its options."""
    said = read(definition.docstring)
    for paragraph in said.paragraphs:
        yield from _filled(paragraph, width)
        yield ""
    for title, text in definition.header.items():
        yield from _entry(title, text, width)
    for text in definition.results:
        yield from _entry("Result", text, width)
    if group == "data":
        yield from _entry("Facts", listed(facts(definition, definitions())), width)
    yield f"File:   {definition.path}"
    yield from _options(definition, group, width)
    for error, text in said.errors.items():
        yield from ["", *_wrapped(f"{error}: {text}", width, "", "  ")]


def _options(definition: Definition, group: str, width: int) -> Iterator[str]:
    """Each option and its default: the class's own, its bases', and what a corpus fills."""
    known = options_of(definition)
    linked = [option for option in known if option.linked]
    if linked:
        yield from ["", "Filled by the corpus:"]
        yield from _described(linked, width)
    rest = (option for option in known if not option.linked)
    for owner, some in groupby(rest, lambda option: option.owner):
        whose = "Options" if owner == definition.name else f"Options of every {owner}"
        yield from ["", f"{whose}, --{group}.NAME VALUE:"]
        yield from _described(some, width)


def _described(some: Iterable[Option], width: int) -> Iterator[str]:
    indent = " " * min(HEAD, width // 3)
    for option in some:
        head = f"  {option.name}"
        if option.default is not None:
            head += f" = {option.default}"
        elif not option.linked:
            head += ", to be given"
        if len(head) < len(indent) - 1:
            yield from _wrapped(option.text, width, head.ljust(len(indent)), indent)
        else:
            yield from _wrapped(head, width, "", "    ")
            yield from _wrapped(option.text, width, indent, indent)


def _entry(title: str, text: str, width: int) -> Iterator[str]:
    return _wrapped(text, width, f"{title + ':':<8}", " " * 8)


def _filled(paragraph: str, width: int) -> Iterator[str]:
    """A paragraph in lines of the width; what is set off, a formula say, stays as it is."""
    for off, lines in groupby(paragraph.splitlines(), lambda line: line.startswith(" ")):
        text = list(lines)
        yield from text if off else _wrapped(" ".join(text), width, "", "")


def _wrapped(text: str, width: int, first: str, rest: str) -> Iterator[str]:
    """Lines of the width; names, addresses and commands stay whole, to be copied."""
    wrapper = TextWrapper(
        width=width,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
    text = re.sub(r"`[^`]+`", lambda found: found[0].replace(" ", WHOLE), text)
    yield from (line.replace(WHOLE, " ") for line in wrapper.wrap(text))
