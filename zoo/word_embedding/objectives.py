"""What a vector is to tell of a word: itself among a few others, or its way down a tree.

Both come down to logistic regressions: rows of a table of outputs, and whether each is the answer.

Source: Mikolov, Sutskever, Chen, Corrado and Dean 2013, https://arxiv.org/abs/1310.4546, Section
        2.1 (hierarchical softmax) and 2.2 (negative sampling, equation 4)
"""

from heapq import heapify, heappop, heappush
from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, embedding_bag, softplus

from zoo.optimizers.row_sgd import RowSGD
from zoo.word_embedding.bags import Bags

POWER = 0.75  # of a word's count, by which negatives are drawn


class Choices(NamedTuple):
    """Which rows a batch is about.

    Attributes:
        pairs: Those of each example; of the table they have the rows (pairs, choices).
        answers: 1 or 0, (pairs, choices).
        weights: Of each choice, (pairs, choices).
        shared: Rows whose answer is 0 for all examples of a mini-batch, int64 (mini-batches,
            shared).
        shares: Their weight for each example, (examples, 1).
        size: How many choices that stands for.
    """

    pairs: Bags
    answers: Tensor
    weights: Tensor
    shared: Tensor
    shares: Tensor
    size: Tensor

    def split(self, step: int) -> list["Choices"]:
        """Mini-batches of `step` examples; the size stays that of all."""
        pairs = self.pairs.split(step)
        sizes = [len(part.rows) for part in pairs]
        parts = (
            pairs,
            self.answers.split(sizes),
            self.weights.split(sizes),
            self.shared.split(1),
            self.shares.split(step),
        )
        return [Choices(*part, self.size) for part in zip(*parts, strict=True)]


class Scores(NamedTuple):
    """Logits.

    Attributes:
        own: Of each pair's choices, (pairs, choices).
        shared: Of the shared ones, (examples, shared).
    """

    own: Tensor
    shared: Tensor


def loss_of(vectors: Tensor, table: Tensor, choices: Choices) -> Tensor:
    """The sum of the choices' cross-entropies, for autograd.

    Args:
        vectors: Of the examples, (examples, embed).
        table: Of outputs, (size, embed).
        choices: Rows and answers, of one mini-batch.
    """
    pairs = vectors[choices.pairs.example][:, :, None]
    own = (table[choices.pairs.rows] @ pairs).squeeze(2)
    loss = binary_cross_entropy_with_logits(own, choices.answers, choices.weights, reduction="sum")
    return loss + (softplus(vectors @ table[choices.shared[0]].T) * choices.shares).sum()


def loss_of_logits(scores: Scores, choices: Choices) -> Tensor:
    """The same sum from logits, to be shown: without a gradient, and a third of the time."""
    own = (plus(scores.own) - scores.own * choices.answers) * choices.weights
    return own.sum() + plus(scores.shared).sum(1) @ choices.shares[:, 0]


def plus(scores: Tensor) -> Tensor:
    """softplus, without its slow log1p."""
    return scores.relu().sub_(scores.abs().sigmoid_().log_())


def descend(
    vectors: Tensor, table: Tensor, choices: Choices, optimizer: RowSGD
) -> tuple[Scores, Tensor]:
    """Steps down the gradient of that sum by the table, in place.

    Args:
        vectors: (examples, embed).
        table: (size, embed).
        choices: Rows and answers, of one mini-batch.
        optimizer: Steps.

    Returns:
        The logits, and the gradient by the vectors, (examples, embed); both before the step.
    """
    rows, example, _, starts, _ = choices.pairs
    (shared,) = choices.shared
    pairs = vectors.index_select(0, example)[:, None]
    outputs = table.index_select(0, rows.flatten()).view(*rows.shape, -1)
    scores = Scores(outputs.mul_(pairs).sum(2), vectors @ table.index_select(0, shared).T)
    errors = scores.own.sigmoid().sub_(choices.answers).mul_(choices.weights)
    wrong = scores.shared.sigmoid().mul_(choices.shares)
    gradient = embedding_bag(
        rows.flatten(),
        table,
        starts * rows.shape[1],
        mode="sum",
        per_sample_weights=errors.flatten(),
    )
    gradient.addmm_(wrong, table.index_select(0, shared))
    optimizer.descend(table, shared, wrong.T @ vectors)
    optimizer.descend(table, rows, pairs, errors)
    return scores, gradient


class NegativeSampling:
    """A word is to be told from others that are drawn by their counts to the power 3/4.

    Drawn are `num_negatives` for each pair, and those that are the word itself are left out; or
    `shared` for all pairs of a mini-batch, which weigh as much together as those would.

    Args:
        counts: Of all words, int64 (vocab_size).
        num_negatives: For each pair.
        shared: For all pairs; 0 for each its own.
    """

    def __init__(self, counts: Tensor, num_negatives: int, shared: int) -> None:
        self.device = counts.device
        chances = counts.double() ** POWER
        self.cumulative = chances.cumsum(0) / chances.sum()
        self.num_negatives, self.shared = num_negatives, shared

    def draw(self, rows: int, generator: Generator | None = None) -> Tensor:
        """Draws `num_negatives` words a row, int64 (rows, num_negatives)."""
        return self._drawn(rows, self.num_negatives, generator)

    def _drawn(self, rows: int, number: int, generator: Generator | None = None) -> Tensor:
        points = torch.rand(
            rows, number, generator=generator, device=self.device, dtype=torch.float64
        )
        return torch.searchsorted(self.cumulative, points).clamp_(max=len(self.cumulative) - 1)

    def choices(self, pairs: Bags, mini_batches: int = 1) -> Choices:
        """Draws the negatives of a batch in training.

        Args:
            pairs: Words to be predicted, a row each.
            mini_batches: Number of mini-batches, in each of which pairs share negatives.
        """
        if not self.shared:
            return among(pairs, self.draw(len(pairs.rows)), mini_batches)
        words = pairs.rows[:, None]
        answers = torch.ones(words.shape, device=words.device)
        shared = self._drawn(mini_batches, self.shared)
        shares = pairs.counts[:, None] * (self.num_negatives / self.shared)
        size = torch.tensor(len(words) * (1 + self.num_negatives), device=words.device)
        return Choices(pairs._replace(rows=words), answers, answers, shared, shares, size)


class HierarchicalSoftmax:
    """A word is a leaf of Huffman's tree; at each node above it, is the way to it the second one?

    Args:
        counts: Of all words, int64 (vocab_size).
    """

    def __init__(self, counts: Tensor) -> None:
        self.device = counts.device
        self.nodes, self.codes, lengths = huffman(counts)
        steps = torch.arange(self.nodes.shape[1], device=self.device)
        self.inside = steps < lengths[:, None]

    def choices(self, pairs: Bags, mini_batches: int = 1) -> Choices:
        """Returns the way to each word; nothing is drawn. See `NegativeSampling.choices`."""
        words = pairs.rows
        weights = self.inside[words].float()
        ways = pairs._replace(rows=self.nodes[words])
        return Choices(
            ways, self.codes[words], weights, *none_shared(pairs, mini_batches), weights.sum()
        )


def among(pairs: Bags, negatives: Tensor, mini_batches: int = 1) -> Choices:
    """Each word is to be told from negatives of its own; one that is the word does not count.

    Args:
        pairs: The words to be told, a row each.
        negatives: int64 (pairs, num_negatives).
        mini_batches: Of which the batch is made.
    """
    words = pairs.rows[:, None]
    one = torch.ones(words.shape, device=words.device)
    answers = torch.cat([one, torch.zeros_like(negatives, dtype=one.dtype)], 1)
    weights = torch.cat([one, (negatives != words).to(one.dtype)], 1)
    choices = pairs._replace(rows=torch.cat([words, negatives], 1))
    size = torch.tensor(answers.numel(), device=words.device)
    return Choices(choices, answers, weights, *none_shared(pairs, mini_batches), size)


def none_shared(pairs: Bags, mini_batches: int) -> tuple[Tensor, Tensor]:
    """No shared rows, and their weights."""
    return pairs.rows.new_empty(mini_batches, 0), torch.zeros(
        len(pairs.counts), 1, device=pairs.counts.device
    )


def huffman(counts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Huffman's tree of words, of which the frequent ones are near the root.

    Args:
        counts: int64 (vocab_size).

    Returns:
        The inner nodes from the root to each word, int64 (vocab_size, depth), 0 after its end; the
        turns there, 0 or 1, (vocab_size, depth); and how many there are, int64 (vocab_size).
    """
    size = len(counts)
    heap = [(count, leaf) for leaf, count in enumerate(counts.tolist())]
    heapify(heap)
    parents, turns = [0] * (2 * size - 1), [0.0] * (2 * size - 1)
    for node in range(size, 2 * size - 1):
        (first, left), (second, right) = heappop(heap), heappop(heap)
        parents[left] = parents[right] = node
        turns[right] = 1.0
        heappush(heap, (first + second, node))
    root = 2 * size - 2
    ways = []
    for leaf in range(size):
        way, node = [], leaf
        while node != root:
            way.append((root - parents[node], turns[node]))
            node = parents[node]
        ways.append(way[::-1])
    lengths = torch.tensor([len(way) for way in ways])
    nodes = torch.zeros(size, int(lengths.max()), dtype=torch.int64)
    codes = torch.zeros(nodes.shape)
    for leaf, way in enumerate(ways):
        numbers, turned = zip(*way, strict=True)
        nodes[leaf, : len(way)] = torch.tensor(numbers)
        codes[leaf, : len(way)] = torch.tensor(turned)
    return nodes.to(counts.device), codes.to(counts.device), lengths.to(counts.device)
