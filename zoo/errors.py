"""The error that the command prints as one line."""


class InputError(ValueError):
    """Bad input: one line that names the file or option and the way out; the command exits 2."""
