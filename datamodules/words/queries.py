"""What is asked of word vectors: how alike people find two words, and analogies.

Source: WordSim-353 (Finkelstein et al. 2002, https://doi.org/10.1145/503104.503110), SimLex-999
        (Hill et al. 2015, https://aclanthology.org/J15-4004), questions-words.txt (Mikolov et al.
        2013, https://arxiv.org/abs/1301.3781)
"""

from pathlib import Path
from reprlib import repr as in_short
from typing import NamedTuple

from datamodules.files.errors import CorpusError
from datamodules.files.text import read_lines

FOLDER = "word-similarity"
QUESTIONS = "questions-words.txt"
MOST = 10.0  # people's scores are from 0 to this

Question = tuple[str, str, str, str]


class ScoreLayout(NamedTuple):
    """How a file of scores is written: what parts its cells, the score's cell, lines on top."""

    delimiter: str
    score: int
    headers: int


# Of a set that lies there in two forms the first is read.
SIMILARITY = {
    "wordsim353": {
        "wordsim353.tsv": ScoreLayout("\t", 2, 0),
        "wordsim353-combined.csv": ScoreLayout(",", 2, 1),
    },
    "simlex999": {"SimLex-999.txt": ScoreLayout("\t", 3, 1)},
}


class SimilaritySet(NamedTuple):
    """Pairs of words in lower case, and how alike people find those of each: from 0 to 10."""

    pairs: list[tuple[str, str]]
    scores: list[float]


class WordQueries(NamedTuple):
    """What there is to ask, in lower case.

    Attributes:
        similarity: Pairs with people's scores: wordsim353, simlex999.
        analogies: Questions by section. The first word is to the second as the third to the
            fourth, which is to be found.
    """

    similarity: dict[str, SimilaritySet]
    analogies: dict[str, list[Question]]


def word_queries(root: Path) -> WordQueries | None:
    """Reads what there is of the known files in `word-similarity`; None where there is none.

    Args:
        root: Folder of the corpora.

    Raises:
        CorpusError: A file cannot be read, or a line is not what it should be; names both.
    """
    folder, similarity = root / FOLDER, {}
    for name, forms in SIMILARITY.items():
        found = [form for form in forms if (folder / form).is_file()]
        if found:
            similarity[name] = read_similarity(folder / found[0], forms[found[0]])
    asks = (folder / QUESTIONS).is_file()
    analogies = read_questions(folder / QUESTIONS) if asks else {}
    return WordQueries(similarity, analogies) if similarity or asks else None


def read_similarity(path: Path, layout: ScoreLayout) -> SimilaritySet:
    """Reads pairs and scores, one a line; lines that begin with # are left out.

    Raises:
        CorpusError: The file cannot be read; a line has too few cells, or no score from 0 to 10.
    """
    pairs, scores = [], []
    for number, line in enumerate(read_lines(path), 1):
        if number <= layout.headers or not line.strip() or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split(layout.delimiter)]
        if len(cells) <= layout.score or not all(cells[:2]):
            raise CorpusError(f"{path}, line {number}: not two words and a score: {in_short(line)}")
        pairs.append((cells[0].lower(), cells[1].lower()))
        scores.append(_score(cells[layout.score], f"{path}, line {number}"))
    if not pairs:
        raise CorpusError(f"{path}: empty: there are no pairs")
    return SimilaritySet(pairs, scores)


def _score(cell: str, where: str) -> float:
    try:
        score = float(cell)
    except ValueError:
        score = -1.0
    if not 0 <= score <= MOST:
        raise CorpusError(f"{where}: {in_short(cell)} is no score from 0 to {MOST:g}")
    return score


def read_questions(path: Path) -> dict[str, list[Question]]:
    """Reads questions, four words a line, in sections that `: name` begins.

    Raises:
        CorpusError: The file cannot be read; a line is neither; a section is there twice.
    """
    sections: dict[str, list[Question]] = {}
    section = None
    for number, line in enumerate(read_lines(path), 1):
        words = line.lower().split()
        if line.startswith(":"):
            name = line[1:].strip()
            if name in sections:
                raise CorpusError(f"{path}, line {number}: the section {name} is there twice")
            section = sections[name] = []
        elif words:
            if section is None:
                raise CorpusError(f"{path}, line {number}: a question before the first section")
            if len(words) != 4:
                raise CorpusError(f"{path}, line {number}: not four words but {len(words)}")
            section.append((words[0], words[1], words[2], words[3]))
    return sections
