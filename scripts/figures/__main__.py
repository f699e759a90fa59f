"""Draws the figures of the course and a page that shows them.

    python -m scripts.figures [FOLDER] [--only TOPIC ...] [--list]

Without options every figure is drawn; those that show training run their recipes first, into
FOLDER/runs. The page shows all figures that FOLDER holds, also those of earlier commands.
"""

import os
import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from matplotlib import style

from scripts.figures.catalogue import Drawing, drawings
from scripts.figures.page import index
from scripts.figures.runs import Runs
from scripts.figures.style import SHEET
from zoo.cli.parser import Parser
from zoo.errors import InputError
from zoo.files import write_text, written_whole

ADVICE = "; choose another FOLDER"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code: 0, or 2 for bad input."""
    parser = Parser(prog="python -m scripts.figures", description="Draw the course's figures.")
    folder = {"nargs": "?", "type": Path, "default": Path("figures"), "metavar": "FOLDER"}
    parser.add_argument("folder", **folder, help="where the figures go (figures)")  # type: ignore[arg-type]
    parser.add_argument("--only", nargs="+", metavar="TOPIC", help="numbers of topics")
    parser.add_argument("--list", action="store_true", help="print what there is and stop")
    try:
        options = parser.parse_args(argv)
        known = drawings()
        chosen = _choose(known, options.only)
        if options.list:
            _list(chosen)
        else:
            _draw(chosen, known, options.folder)
    except InputError as error:
        print(f"figures: {error}", file=sys.stderr)
        return 2
    return 0


def _choose(known: list[Drawing], only: list[str] | None) -> list[Drawing]:
    numbers = dict.fromkeys(str(drawing.topic[0]) for drawing in known)
    for number in only or ():
        if number not in numbers:
            raise InputError(
                f"there is no topic {number}: choose from {', '.join(numbers)}; "
                "FOLDER comes before --only"
            )
    return [drawing for drawing in known if not only or str(drawing.topic[0]) in only]


def _list(chosen: list[Drawing]) -> None:
    for (number, title), group in groupby(chosen, lambda drawing: drawing.topic):
        print(f"topic {number}: {title}")
        for drawing in group:
            print(f"  {drawing.file:<34} {drawing.title}")


def _draw(chosen: list[Drawing], known: list[Drawing], folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(13, "Permission denied")
        runs = Runs(folder / "runs")
        for drawing in chosen:
            with style.context(SHEET):
                figure = drawing.draw(runs)
                with written_whole(folder / drawing.file, ADVICE) as partial:
                    figure.savefig(partial, format="png")
            print(folder / drawing.file, flush=True)
        write_text(folder / "index.html", index(known, folder), ADVICE)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{folder}: cannot be written ({reason}){ADVICE}") from None
    print(f"open {folder / 'index.html'}")


if __name__ == "__main__":
    # Beside another job, threads that spin while they wait make small tensors ten times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.exit(main())
