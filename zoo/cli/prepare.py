"""prepare: fetch a corpus, or take over a copy that was fetched by hand."""

from importlib import import_module
from pathlib import Path
from typing import Any

from rich.console import Console

from zoo.catalogue import arguments, corpora, definitions
from zoo.cli.names import class_path
from zoo.errors import InputError


def prepare(name: str, source: Path | None, root: Path | None, synthetic: bool) -> None:
    """Downloads and verifies a corpus, or writes its stand-in.

    Args:
        name: Of the corpus.
        source: A file, or a folder of files, fetched by hand.
        root: Folder of the corpora.
        synthetic: Write the stand-in instead.

    Raises:
        InputError: There is no such corpus, or it has no files to be taken over.
    """
    path = class_path("corpus", name, corpora())
    module, _, cls = path.rpartition(".")
    known = definitions().get(path)
    lies = known is None or "root" in arguments(known, definitions())  # others are drawn
    if not lies and source is not None:
        raise InputError(f"{cls} is drawn from a formula: there are no files to take over")
    places = {"root": root} if lies else {}
    try:
        made: Any = getattr(import_module(module), cls)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(f"{path} cannot be imported ({error})") from None
    corpus = made(synthetic=synthetic, **places)
    if source is not None:
        if synthetic:
            raise InputError("--from takes over real files: leave out --synthetic")
        for file in corpus.adopt(source):
            Console().print(f"verified: {file}", soft_wrap=True)
    corpus.prepare_data()
    corpus.setup("fit")
    if "test" in corpus.splits:
        corpus.setup("test")
    where = f"ready in {corpus.folder}" if lies else "drawn whenever it is used, nothing to fetch"
    Console(highlight=False).print(f"{corpus.described}: {where}", soft_wrap=True)
