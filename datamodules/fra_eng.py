"""fra-eng: 167,130 English sentences and their French translations, short ones first.

Source: Tatoeba, https://tatoeba.org, as paired by https://www.manythings.org/anki; CC BY 2.0 FR
Batch: (source, source_lengths, target, target_lengths, references)
"""

from pathlib import Path
from typing import Any

from datamodules.files.download import RemoteFile
from datamodules.synthetic import phrases
from datamodules.text.sentence_pairs import SentencePairs

ARCHIVE, FILE = "fra-eng/fra-eng.zip", "fra-eng/fra.txt"


class FraEng(SentencePairs):
    """Pairs of 116,827 different sentences, of which 2,000 + 2,000 are held out.

    Read from `fra-eng/fra.txt`, or where that is not, from the archive `fra-eng/fra-eng.zip`.

    Args:
        pairs: Arguments of every corpus of sentence pairs.
    """

    title = "fra-eng"
    full_size = {"train": 167_130}
    well_known = {
        "go .": "va !",
        "wow !": "ça alors !",
        "i'm ok .": "ça va .",
        "i won !": "j'ai gagné !",
        "i lost .": "j'ai perdu .",
        "he's calm .": "il est calme .",
        "i'm home .": "je suis chez moi .",
    }
    files = (
        RemoteFile(
            name=ARCHIVE,
            urls=("https://d2l-data.s3-accelerate.amazonaws.com/fra-eng.zip",),
            sha256="fa96382b2c8b609e1662654c1e6e6baeb8d30b3bf63dfb4a5a261cc36347df13",
            size=3_420_152,
        ),
    )

    def __init__(self, **pairs: Any) -> None:
        super().__init__(**pairs)
        self.save_hyperparameters(ignore=["root"], logger=False)

    def write_synthetic(self, folder: Path) -> None:
        phrases.write_pairs(folder / FILE)

    @property
    def place(self) -> Path:
        loose = self.folder / FILE
        return loose if loose.is_file() else Path(f"{self.folder / ARCHIVE}!{FILE}")

    @property
    def files_exist(self) -> bool:
        return (self.root / FILE).is_file() or super().files_exist
