"""The error that the command prints as one line."""


class CorpusError(Exception):
    """Bad or missing input of a corpus: one line that names the file (and row) and the way out.

    The command prints it and exits 2.
    """
