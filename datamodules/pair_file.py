"""Any pairs: a file of yours in UTF-8 with a tab between two sentences, or a file for each side.

Source: the file that --data.path names
Batch: (source, source_lengths, target, target_lengths, references)
"""

from itertools import zip_longest
from pathlib import Path
from typing import Any

from datamodules.files.errors import CorpusError
from datamodules.files.text import read_text
from datamodules.own_file import OwnFile
from datamodules.synthetic import phrases
from datamodules.text.sentence_pairs import SentencePairs


class PairFile(OwnFile, SentencePairs):
    """Sentences and their translations, from whichever language into whichever, a line each.

    Args:
        path: Path of the file, from the current folder or else from the root. A checkpoint does not
            keep it.
        target_path: Path of the translations, if `path` has the sentences alone. Pairs of two empty
            lines are left out.
        num_val: Sentences held out to choose by; by default 2,000, or a tenth where that is less.
        num_test: Sentences held out to test on; likewise.
        pairs: Arguments of every corpus of sentence pairs.
    """

    title = "Pair file"
    synthetic_name = "pairs.txt"

    def __init__(
        self,
        path: str | Path | None = None,
        target_path: str | Path | None = None,
        num_val: int | None = None,
        num_test: int | None = None,
        **pairs: Any,
    ) -> None:
        super().__init__(num_val=num_val, num_test=num_test, **pairs)
        self.save_hyperparameters(ignore=["root", "path", "target_path"], logger=False)
        self.name_file(path)
        self.target_path = Path(target_path).expanduser() if target_path is not None else None

    @property
    def files_exist(self) -> bool:
        target = self.target_path
        return super().files_exist and (target is None or self.locate(target).is_file())

    def download(self) -> None:
        super().download()
        self.refuse_absent(self.target_path)

    def rows(self) -> list[tuple[str, list[str]]]:
        """Where each pair is, and its columns.

        Raises:
            CorpusError: There are not as many lines on both sides.
        """
        if self.target_path is None or self.synthetic:
            return super().rows()
        places = self.place, self.locate(self.target_path)
        sides = [read_text(place).rstrip("\n").split("\n") for place in places]
        short = len(sides[0]) - len(sides[1])
        if short and any(line.strip() for side in sides for line in side[min(map(len, sides)) :]):
            counts = " and ".join(f"{len(side):,}" for side in sides)
            raise CorpusError(
                f"{places[0]}, {places[1]}: not as many lines on both sides: {counts}"
            )
        return [
            (f"{places[0]}, {places[1]}, line {number}", [line.replace("\t", " ") for line in pair])
            for number, pair in enumerate(zip_longest(*sides, fillvalue=""), start=1)
            if any(line.strip() for line in pair)
        ]

    def write_synthetic(self, folder: Path) -> None:
        phrases.write_pairs(folder / self.synthetic_name)
