"""prepare: fetch a corpus, or take over a copy that was fetched by hand."""

from importlib import import_module
from pathlib import Path
from typing import Any

from rich.console import Console

from zoo.cli.names import class_path, corpora
from zoo.errors import InputError


def prepare(name: str, source: Path | None, root: Path | None, synthetic: bool) -> None:
    """Downloads and verifies a corpus, or writes its stand-in.

    Args:
        name: Of the corpus.
        source: A file, or a folder of files, fetched by hand.
        root: Folder of the corpora.
        synthetic: Write the stand-in instead.

    Raises:
        InputError: There is no such corpus.
    """
    module, _, cls = class_path("corpus", name, corpora()).rpartition(".")
    corpus: Any = getattr(import_module(module), cls)(root=root, synthetic=synthetic)
    if source is not None:
        if synthetic:
            raise InputError("--from takes over real files: leave out --synthetic")
        for path in corpus.adopt(source):
            Console().print(f"verified: {path}", soft_wrap=True)
    corpus.prepare_data()
    corpus.setup("fit")
    corpus.setup("test")
    Console(highlight=False).print(f"{corpus.described}: ready in {corpus.folder}", soft_wrap=True)
