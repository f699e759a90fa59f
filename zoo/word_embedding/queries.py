"""What word vectors know: the words nearest to others, analogies, how alike people find two words.

Source: Mikolov et al. 2013, https://arxiv.org/abs/1301.3781, section 4; the sum is 3CosAdd in Levy
        and Goldberg 2014, https://aclanthology.org/W14-1618
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize
from torchmetrics import Metric
from torchmetrics.functional import spearman_corrcoef
from torchmetrics.utilities import dim_zero_cat

from zoo.shapes import Cosines, Neighbours, Vectors, Words, WordVectors

CELLS = 1 << 24  # cosines at a time: 64 MiB


def is_special(entry: str) -> bool:
    """Whether an entry of a vocabulary is no word but a mark such as <unk>."""
    return entry.startswith("<") and entry.endswith(">")


def nearest(
    table: WordVectors, queries: Vectors, k: int, excluded: Neighbours | None = None
) -> tuple[Cosines, Neighbours]:
    """The words whose vectors have the greatest cosines with others, the greatest first.

    Args:
        table: (vocab, embed), a row a word.
        queries: (batch, embed).
        k: How many; no more than there are words.
        excluded: (batch, any) words that are no answers: where too few others are left they come
            last, with cosines of minus infinity.

    Returns:
        Cosines and words, (batch, k) each.
    """
    units = normalize(table.float(), dim=1)
    barred = torch.empty(len(queries), 0, dtype=torch.int64) if excluded is None else excluded
    rows = max(1, CELLS // len(table))
    parts = zip(queries.split(rows), barred.to(table.device).split(rows), strict=True)
    found = []
    for part, words in parts:
        cosines = normalize(part.float(), dim=1) @ units.T
        cosines.scatter_(1, words, -torch.inf)
        found.append(cosines.topk(min(k, len(table)), dim=1))
    cosines, indices = (torch.cat(tensors) for tensors in zip(*found, strict=True))
    return cosines, indices


def fourth(a: Vectors, b: Vectors, c: Vectors) -> Vectors:
    """Where d is sought, of which c is to d as a to b: b - a + c, each of length 1."""
    first, second, third = (normalize(vectors.float(), dim=1) for vectors in (a, b, c))
    return second - first + third


def analogy(
    table: WordVectors, a: Words, b: Words, c: Words, k: int = 1
) -> tuple[Cosines, Neighbours]:
    """The words that are to c as b to a, the likeliest first; never a, b or c.

    Args:
        table: (vocab, embed), a row a word.
        a: Words (batch); b and c likewise.
        b: To each a ...
        c: ... as to each of these the word that is sought.
        k: How many.

    Returns:
        Cosines and words, (batch, k) each.
    """
    queries = fourth(table[a], table[b], table[c])
    return nearest(table, queries, k, torch.stack([a, b, c], dim=1))


class WordSimilarity(Metric):
    """Spearman's rank correlation of cosines with people's scores, over the pairs it can tell of.

    Equal values share the mean of their ranks. `covered` counts the pairs both of whose words are
    in the vocabulary; of fewer than two there is no correlation: nan.
    """

    full_state_update = False
    higher_is_better = True
    covered: Tensor
    cosines: list[Tensor]
    scores: list[Tensor]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.add_state("covered", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("cosines", [], dist_reduce_fx="cat")
        self.add_state("scores", [], dist_reduce_fx="cat")

    def update(
        self,
        table: WordVectors,
        index: Mapping[str, int],
        pairs: Sequence[tuple[str, str]],
        scores: Sequence[float],
    ) -> None:
        rows = [place for place, pair in enumerate(pairs) if all(word in index for word in pair)]
        words = torch.tensor([[index[word] for word in pairs[row]] for row in rows])
        first, second = words.to(table.device, torch.int64).reshape(-1, 2).unbind(1)
        self.cosines.append(cosine_similarity(table[first].float(), table[second].float()))
        self.scores.append(torch.tensor([scores[row] for row in rows], device=table.device))
        self.covered += len(rows)

    def compute(self) -> Tensor:
        if self.covered < 2:
            return torch.full_like(self.covered, torch.nan)
        return spearman_corrcoef(dim_zero_cat(self.cosines), dim_zero_cat(self.scores))


class Analogies(Metric):
    """Share of the questions a : b = c : d whose d is the first that `analogy` finds.

    `covered` counts those whose four words are in the vocabulary; of none there is no share: nan.
    """

    full_state_update = False
    higher_is_better = True
    covered: Tensor
    right: Tensor

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.add_state("covered", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("right", torch.tensor(0.0), dist_reduce_fx="sum")

    def update(
        self, table: WordVectors, index: Mapping[str, int], questions: Iterable[Sequence[str]]
    ) -> None:
        known = [q for q in questions if all(word in index for word in q)]
        words = torch.tensor([[index[word] for word in q] for q in known])
        a, b, c, wanted = words.to(table.device, torch.int64).reshape(-1, 4).unbind(1)
        found = analogy(table, a, b, c)[1]
        self.right += (found[:, 0] == wanted).sum()
        self.covered += len(known)

    def compute(self) -> Tensor:
        return self.right / self.covered


def evaluate(table: WordVectors, index: Mapping[str, int], queries: Any) -> dict[str, Tensor]:
    """What a table of word vectors knows of what is asked.

    Args:
        table: (vocab, embed), a row a word.
        index: The row of each word.
        queries: Has `similarity`, sets by name of `pairs` and `scores`, and `analogies`, questions
            of four words by section.

    Returns:
        The rank correlation of each set, the share of analogies that are right, and of both on how
        many they rest (`..._covered`); where that is too few, that alone.
    """
    found: dict[str, Tensor] = {}
    for name, known in queries.similarity.items():
        likeness = WordSimilarity(sync_on_compute=False).to(table.device)
        likeness.update(table, index, known.pairs, known.scores)
        found |= {name: likeness.compute(), f"{name}_covered": likeness.covered}
    if queries.analogies:
        share = Analogies(sync_on_compute=False).to(table.device)
        for questions in queries.analogies.values():
            share.update(table, index, questions)
        found |= {"analogies": share.compute(), "analogies_covered": share.covered}
    return {name: value for name, value in found.items() if not value.isnan()}
