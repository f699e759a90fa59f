"""prepare: fetch a corpus, or take over a copy that was fetched by hand."""

import argparse

from zoo.catalogue import arguments, corpora, definitions, imported
from zoo.cli.names import class_path
from zoo.cli.report import plain_console
from zoo.errors import InputError


def prepare(options: argparse.Namespace, overrides: list[str]) -> int:
    """Downloads and verifies a corpus, takes over files fetched by hand, or writes its stand-in.

    Raises:
        InputError: There is no such corpus, or it has no files to be taken over.
    """
    path = class_path("corpus", options.corpus, corpora)
    known = definitions().get(path)
    has_files = known is None or "root" in arguments(known, definitions())  # others are drawn
    if not has_files and options.source is not None:
        raise InputError(
            f"{path.rpartition('.')[2]} is drawn from a formula: there are no files to take over"
        )
    root = {"root": options.root} if has_files else {}
    corpus = imported(path)(synthetic=options.synthetic, **root)
    if options.source is not None:
        if options.synthetic:
            raise InputError("--from takes over real files: leave out --synthetic")
        for file in corpus.adopt(options.source):
            plain_console().print(f"verified: {file}", soft_wrap=True)
    corpus.prepare_data()
    corpus.setup("fit")
    if "test" in corpus.splits:
        corpus.setup("test")
    where = (
        f"ready in {corpus.folder}" if has_files else "drawn whenever it is used, nothing to fetch"
    )
    plain_console().print(f"{corpus.described}: {where}", soft_wrap=True)
    return 0
