"""What the zoo asks of a corpus: named by protocols, kept by every corpus, never required."""

from functools import cached_property
from importlib import import_module
from types import SimpleNamespace

import pytest
from lightning.pytorch import LightningDataModule

from tests.conftest import ROOT, all_recipes, imported
from zoo.training import corpus
from zoo.training.corpus import LabelledPictures, WithLabels, WithVocabulary, corpus_of, names_of

SHARED = {  # what families ask that have no corpus.py, or more than it says
    "image_classification": [LabelledPictures],
    "object_detection": [LabelledPictures],
    "text_classification": [WithLabels],
    "word_embedding": [WithVocabulary],
}
ASKED = sorted(
    {(recipe.path.parent.name, recipe.config["data"]["class_path"]) for recipe in all_recipes()}
)


def asked_by(family: str) -> list[type]:
    """The protocols of a family."""
    found = list(SHARED.get(family, ()))
    if (ROOT / "zoo" / family / "corpus.py").exists():
        module = import_module(f"zoo.{family}.corpus")
        own = module.__name__
        found += [each for each in vars(module).values() if getattr(each, "__module__", "") == own]
    return found


@pytest.mark.parametrize(("family", "class_path"), ASKED, ids=lambda part: part.split(".")[-1])
def test_a_corpus_has_what_the_family_of_its_recipes_asks(family, class_path, tmp_path):
    known = {name for cls in imported(class_path).__mro__ for name in vars(cls)}
    datamodule = imported(class_path)(root=tmp_path) if asked_by(family) else None
    for protocol in asked_by(family):
        missing = set(names_of(protocol)) - known - set(vars(datamodule))
        assert not missing, protocol.__name__
        assert corpus_of(SimpleNamespace(datamodule=datamodule), protocol) is datamodule


def test_every_protocol_has_names():
    families = {family for family, _ in ASKED}
    protocols = [*vars(corpus).values(), *(each for f in families for each in asked_by(f))]
    named = [p for p in protocols if getattr(p, "_is_protocol", False) and p.__name__ != "Protocol"]
    assert len(named) > 8
    assert all(any(names_of(protocol)) for protocol in named)


def test_lazy_names_are_looked_up_and_not_computed():
    class Lazy(LightningDataModule):
        @cached_property
        def vocab(self):
            raise AssertionError("the vocabulary was read")

    lazy = SimpleNamespace(datamodule=Lazy())
    assert corpus_of(lazy, WithVocabulary) is lazy.datamodule
    assert corpus_of(lazy, WithLabels) is None
    lazy.datamodule.labels = ("a", "b")
    assert corpus_of(lazy, WithLabels) is lazy.datamodule
    assert corpus_of(lazy, LabelledPictures) is None  # it inherits `labels`, and lacks the rest
    assert corpus_of(SimpleNamespace(datamodule=None), WithLabels) is None
