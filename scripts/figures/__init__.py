"""The figures of the course, drawn by `python -m scripts.figures` from formulas and from runs."""
