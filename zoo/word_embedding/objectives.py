"""What a vector is to tell of a word: itself among a few others, or its way down a tree.

Both come down to logistic regressions: rows of a table of outputs, and whether each is the answer.

Source: Mikolov, Sutskever, Chen, Corrado and Dean 2013, https://arxiv.org/abs/1310.4546, Section
        2.1 (hierarchical softmax) and 2.2 (negative sampling, equation 4)
"""

from heapq import heapify, heappop, heappush
from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from zoo.optimizers.row_sgd import RowSGD

POWER = 0.75  # of a word's count, by which negatives are drawn


class Choices(NamedTuple):
    """Which rows a batch is about.

    Attributes:
        example: The row of the batch that each pair belongs to, int64 (pairs).
        rows: Of the table, int64 (pairs, choices).
        answers: 1 or 0, (pairs, choices).
        weights: Of each choice, (pairs, choices).
        shared: Rows whose answer is 0 for all examples, int64 (shared).
        shares: Their weight for each example, (examples, 1).
        size: How many choices that stands for.
    """

    example: Tensor
    rows: Tensor
    answers: Tensor
    weights: Tensor
    shared: Tensor
    shares: Tensor
    size: Tensor


def loss_of(vectors: Tensor, table: Tensor, choices: Choices) -> Tensor:
    """The sum of the choices' cross-entropies, for autograd.

    Args:
        vectors: Of the examples, (examples, embed).
        table: Of outputs, (size, embed).
        choices: Rows and answers.
    """
    pairs = vectors[choices.example][:, :, None]
    scores = (table[choices.rows] @ pairs).squeeze(2)
    loss = binary_cross_entropy_with_logits(
        scores, choices.answers, choices.weights, reduction="sum"
    )
    if len(choices.shared):
        loss = loss + (softplus(vectors @ table[choices.shared].T) * choices.shares).sum()
    return loss


def descend(
    vectors: Tensor, table: Tensor, choices: Choices, optimizer: RowSGD
) -> tuple[Tensor, Tensor]:
    """The same sum and its gradient by the vectors; the table has stepped down its own.

    Args:
        vectors: (examples, embed).
        table: (size, embed).
        choices: Rows and answers.
        optimizer: Steps.

    Returns:
        The sum, and (examples, embed).
    """
    rows = choices.rows.flatten()
    pairs = vectors.index_select(0, choices.example)[:, None]
    outputs = table.index_select(0, rows).view(*choices.rows.shape, -1)
    scores = (outputs * pairs).sum(2)
    loss = binary_cross_entropy_with_logits(
        scores, choices.answers, choices.weights, reduction="sum"
    )
    errors = scores.sigmoid_().sub_(choices.answers).mul_(choices.weights)[:, :, None]
    gradient = torch.zeros_like(vectors)
    if len(choices.shared):
        negatives = table.index_select(0, choices.shared)
        scores = vectors @ negatives.T
        loss += (softplus(scores) * choices.shares).sum()
        wrong = scores.sigmoid_().mul_(choices.shares)
        gradient = wrong @ negatives
        optimizer.descend(table, choices.shared, wrong.T @ vectors)
    gradient.index_add_(0, choices.example, outputs.mul_(errors).sum(1))
    optimizer.descend(table, rows, (errors * pairs).flatten(0, 1))
    return loss, gradient


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

    def draw(self, *size: int, generator: Generator | None = None) -> Tensor:
        """Words, int64 of that size."""
        points = torch.rand(size, generator=generator, device=self.device, dtype=torch.float64)
        return torch.searchsorted(self.cumulative, points).clamp_(max=len(self.cumulative) - 1)

    def choices(
        self, example: Tensor, words: Tensor, num_examples: int, generator: Generator | None = None
    ) -> Choices:
        """Draws.

        Args:
            example: Of each pair, int64 (pairs).
            words: Of each pair, int64 (pairs).
            num_examples: Of the mini-batch.
            generator: Draws each pair's own; without one as in training.
        """
        size = torch.tensor(len(words) * (1 + self.num_negatives), device=words.device)
        words = words[:, None]
        answers = torch.ones(words.shape, device=words.device)
        if self.shared and generator is None:
            shared = self.draw(self.shared)
            pairs = torch.bincount(example, minlength=num_examples)
            shares = pairs[:, None] * (self.num_negatives / self.shared)
            return Choices(example, words, answers, answers, shared, shares, size)
        negatives = self.draw(len(words), self.num_negatives, generator=generator)
        rows = torch.cat([words, negatives], 1)
        weights = torch.cat([answers, (negatives != words).float()], 1)
        answers = torch.cat([answers, torch.zeros_like(negatives)], 1)
        return Choices(example, rows, answers, weights, words[:0, 0], answers[:0], size)


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

    def choices(
        self, example: Tensor, words: Tensor, num_examples: int, generator: Generator | None = None
    ) -> Choices:
        """The way to each word; nothing is drawn. See `NegativeSampling.choices`."""
        weights = self.inside[words].float()
        rows, answers = self.nodes[words], self.codes[words]
        return Choices(example, rows, answers, weights, words[:0], weights[:0], weights.sum())


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
