"""What a corpus has of what the zoo asks is of the type that the zoo's protocols say."""

from importlib import import_module
from inspect import isfunction, signature
from typing import get_type_hints

import pytest
from beartype.door import is_bearable

import datamodules
from tests.conftest import ROOT
from zoo.catalogue import corpora, definitions, facts
from zoo.runs.record import Described
from zoo.training.corpus import names_of

MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted((ROOT / "zoo").glob("*/corpus.py"))
]
PROTOCOLS = [
    Described,
    *(
        each
        for module in map(import_module, MODULES)
        for each in vars(module).values()
        if getattr(each, "_is_protocol", False) and each.__module__ == module.__name__
    ),
]


def asked(protocol):
    """What a protocol says of each of its names: a type, or a function as it is called."""
    members = {name: getattr(protocol, name, None) for name in names_of(protocol)}
    hints = {name: hint for base in protocol.__mro__ for name, hint in get_type_hints(base).items()}
    for name, member in members.items():
        if isfunction(member):
            yield name, member
        else:
            yield name, get_type_hints(member.fget)["return"] if member else hints[name]


def fits(value, wanted):
    """Whether a value is what is asked: a function with these arguments, or of a type."""
    if isfunction(wanted):
        return list(signature(value).parameters) == list(signature(wanted).parameters)[1:]
    if getattr(wanted, "_is_protocol", False):
        return all(fits(getattr(value, name), part) for name, part in asked(wanted))
    return is_bearable(value, wanted)


@pytest.mark.parametrize("name", corpora())
def test_what_is_asked_has_its_type(name):
    corpus = getattr(datamodules, name)(synthetic=True)
    names = {*dir(type(corpus)), *vars(corpus)}
    found = [p for p in PROTOCOLS if names.issuperset(names_of(p))]
    assert Described in found
    for protocol in found:
        for part, wanted in asked(protocol):
            assert fits(getattr(corpus, part), wanted), f"{protocol.__name__}.{part}"


@pytest.mark.parametrize("name", corpora())
def test_facts_are_there_before_anything_is_prepared(name, tmp_path, monkeypatch):
    """As the command asks for them, with an empty cache: what writes the stand-in is its fact."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    corpus = getattr(datamodules, name)(synthetic=True)
    for fact in facts(corpora()[name], definitions()):
        if not (name == "Table" and fact.startswith("target_")):  # its stand-in has classes
            getattr(corpus, fact)


def test_another_type_does_not_fit():
    class Corpus:
        described = 3
        labels = (0, 1)  # beartype looks at one of them

        def denormalise(self, pictures):
            return pictures

    wanted = {part: want for protocol in PROTOCOLS for part, want in asked(protocol)}
    assert {"described", "labels", "denormalise", "vocab", "target_text"} <= wanted.keys()
    for part in ("described", "labels", "denormalise"):
        assert not fits(getattr(Corpus(), part), wanted[part])
