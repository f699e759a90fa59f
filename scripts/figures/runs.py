"""Runs of recipes for the figures that need them, made anew by each command."""

import os
import shutil
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

from zoo.cli.main import main
from zoo.errors import InputError
from zoo.runs.history import Line, read

MARKER = ".made-by-scripts-figures"


class Runs:
    """Trains recipes, each once in a command; the runs of an earlier command are deleted first.

    Args:
        folder: Where the run folders go. It is made at the first run, and deleted only if an
            earlier command made it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made: dict[tuple[str, ...], Path] = {}

    def fit(self, recipe: str, *overrides: str) -> Path:
        """Trains as `zoo fit RECIPE OVERRIDES` does, without a word and without W&B.

        Returns:
            The run folder.

        Raises:
            InputError: The recipe or an option is wrong, or the folder cannot be written.
        """
        command = (recipe, *overrides)
        if command not in self._made:
            if not self._made:
                self._clear()
            self._made[command] = self._train(*command)
        return self._made[command]

    def metrics(self, run: Path) -> list[Line]:
        """What a run logged: a dictionary of numbers, `step` among them, for each line.

        Raises:
            InputError: The log is missing or damaged.
        """
        return read(run, run.name).lines

    def _train(self, recipe: str, *overrides: str) -> Path:
        options = ["--runs", str(self.folder), "--wandb", "disabled", "--allow", "scripts"]
        with (
            Path(os.devnull).open("w") as null,
            redirect_stdout(null),
            redirect_stderr(StringIO()) as said,
        ):
            code = main(["fit", recipe, *options, *overrides])
        if code:
            last = said.getvalue().strip().rpartition("\n")[2] or f"exit code {code}"
            raise InputError(f"fit {recipe}: {last.removeprefix('zoo: ')}")
        names = [path.name for path in (self.folder / recipe).glob("*")]
        numbers = [int(name) for name in names if name.isdecimal()]
        if not numbers:
            raise InputError(f"{self.folder}: fit {recipe} left no numbered run (in a SLURM job?)")
        return self.folder / recipe / str(max(numbers))

    def _clear(self) -> None:
        """Makes the folder, empty and marked as this command's.

        Raises:
            InputError: It holds what this command did not make, or cannot be written.
        """
        marker = self.folder / MARKER
        try:
            if marker.is_file():
                shutil.rmtree(self.folder)
            elif self.folder.is_dir() and any(self.folder.iterdir()):
                raise InputError(
                    f"{self.folder}: holds files that scripts.figures did not make: "
                    "move them, or choose another FOLDER"
                )
            self.folder.mkdir(parents=True, exist_ok=True)
            marker.touch()
        except OSError as error:
            reason = error.strerror or error
            raise InputError(f"{self.folder}: runs cannot be written ({reason})") from None
