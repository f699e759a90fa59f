"""Which tokens of a text make up which batch, of windows at random or of streams in order.

A text of n tokens is n - 1 pairs of a token and the next one, its target; of tagged tokens each has
its own. A sampler yields the positions of a batch's tokens, int64 (batch, steps), -1 past the end
of a row; the target there is `IGNORED`, which torch's cross_entropy leaves out.
"""

from collections.abc import Iterator
from math import ceil
from typing import Any, Literal

import torch
from torch import Generator, Tensor
from torch.nn.functional import pad

from datamodules.batches.in_memory import IGNORED, Rows, WholeBatches
from datamodules.batches.samplers import (
    EvaluationBatches,
    TrainBatches,
    epoch_seed,
    seeded_generator,
)

Tail = Literal["drop", "pad"]


class TokenStream(WholeBatches):
    """Tokens in order; `Rows` of positions give (tokens, targets), int64 (batch, steps) each.

    Args:
        numbers: Number of each token, of any whole type (length), at least one; perhaps mapped from
            a file.
        targets: Target of each token, int64 (length); by default the token after it, so that the
            last token is a target alone.
        index: Token of each number, int64; by default the numbers are the tokens.
    """

    def __init__(
        self, numbers: Tensor, targets: Tensor | None = None, index: Tensor | None = None
    ) -> None:
        self.numbers, self.targets, self.index = numbers, targets, index

    def __len__(self) -> int:
        return len(self.numbers) - (self.targets is None)

    @property
    def tensors(self) -> tuple[Tensor, Tensor]:
        """All tokens, and their targets, int64 (length) each; `IGNORED` where there is none."""
        tokens = self._tokens(self.numbers)
        following = pad(tokens[1:], (0, 1), value=IGNORED)
        return tokens, following if self.targets is None else self.targets

    def _tokens(self, numbers: Tensor) -> Tensor:
        numbers = numbers.long()
        return numbers if self.index is None else self.index[numbers]

    def __getitem__(self, rows: Rows | int) -> tuple[Tensor, ...]:
        if isinstance(rows, int):
            return self[Rows(0, torch.tensor(rows))]
        positions = rows.indices.to(self.numbers.device)
        whole = bool(rows.indices.amin() >= 0)  # in the host's memory: no wait for the device
        within = positions if whole else positions.clamp(min=0)
        tokens = self._tokens(self.numbers[within])
        if self.targets is None:
            following = (within + 1).clamp(max=len(self.numbers) - 1)
            targets = self._tokens(self.numbers[following])
        else:
            targets = self.targets[within]
        return tokens, targets if whole else targets.masked_fill(positions < 0, IGNORED)

    def to(self, device: torch.device | str) -> "TokenStream":  # type: ignore[override]
        """The same text on `device`."""
        rest = (None if part is None else part.to(device) for part in (self.targets, self.index))
        return TokenStream(self.numbers.to(device), *rest)


class _TextBatches(TrainBatches):
    """Batches of an epoch of a text, which begins at a position f(seed, epoch).

    Every epoch has the same number of pairs: those that an epoch leaves out before its first
    position and after its last are fewer than `reach`.

    Args:
        dataset: The text.
        batch_size: Rows per batch, in each process.
        num_steps: Tokens a row.
        reach: Number of tokens that an epoch may begin at; 1 for always the same.
        tail: Whether tokens that do not fill a row are dropped, or the row is padded.
        run: Seed, rank, number of processes and position, as of `TrainBatches`.
    """

    def __init__(
        self,
        dataset: WholeBatches,
        batch_size: int,
        num_steps: int,
        *,
        reach: int = 1,
        tail: Tail = "drop",
        **run: Any,
    ) -> None:
        super().__init__(dataset, batch_size, **run)
        self.num_steps, self.reach, self.tail = num_steps, reach, tail
        self.num_pairs = max(0, len(dataset) - (reach - 1))

    @property
    def num_streams(self) -> int:
        """Rows of a batch, over all processes."""
        return self.batch_size * self.num_replicas

    def _drawn(self, epoch: int) -> tuple[Generator, int]:
        """What an epoch draws from, and its first position, which is drawn."""
        generator = seeded_generator(epoch_seed(self.seed, epoch))
        return generator, int(torch.randint(self.reach, (), generator=generator))


class RandomWindows(_TextBatches):
    """Windows of `num_steps` tokens in a random order, both f(seed, epoch).

    The order is cut into global batches of which each rank takes its consecutive share. With
    tail drop all batches are full; with pad the last one may have fewer rows, shared evenly, and
    the last window may end early.

    Args:
        dataset: The text.
        batch_size: Rows per batch, in each process.
        num_steps: Tokens a row.
        stride: Distance of the first tokens of neighbouring windows; num_steps if they just touch.
        jitter: Whether the first window begins anywhere among the first `stride` positions.
        options: Arguments of `_TextBatches`.
    """

    def __init__(
        self,
        dataset: WholeBatches,
        batch_size: int,
        num_steps: int,
        *,
        stride: int | None = None,
        jitter: bool = True,
        **options: Any,
    ) -> None:
        self.stride = stride or num_steps
        reach = self.stride if jitter else 1
        super().__init__(dataset, batch_size, num_steps, reach=reach, **options)
        room = self.num_pairs - (num_steps if self.tail == "drop" else 1)
        self.num_windows = max(0, room // self.stride + 1)
        share = self.num_streams if self.tail == "drop" else self.num_replicas
        self.num_rows = self.num_windows // share * share

    def __iter__(self) -> Iterator[Rows]:
        epoch, done = self.position(len(self))
        generator, first = self._drawn(epoch)
        order = torch.randperm(self.num_windows, generator=generator)[: self.num_rows]
        for start in range(done * self.num_streams, self.num_rows, self.num_streams):
            share = min(self.num_streams, self.num_rows - start) // self.num_replicas
            begins = order[start + self.rank * share :][:share] * self.stride
            yield Rows(epoch, _positions(first + begins, self.num_pairs - begins, self.num_steps))


class SequentialStreams(_TextBatches):
    """Consecutive streams, one a row: each row of a batch goes on where the last batch's ended.

    Rank r has the streams r * batch_size and following: N processes see what one with N times the
    batch size sees. With tail drop all rows are full; with pad those of the last batch may end
    early, but none is empty.

    Args:
        dataset: The text.
        batch_size: Streams a process.
        num_steps: Tokens of each stream a batch.
        jitter: Whether the first stream begins anywhere among the first `num_steps` positions.
        options: Arguments of `_TextBatches`.
    """

    def __init__(
        self,
        dataset: WholeBatches,
        batch_size: int,
        num_steps: int,
        *,
        jitter: bool = True,
        **options: Any,
    ) -> None:
        reach = num_steps if jitter else 1
        super().__init__(dataset, batch_size, num_steps, reach=reach, **options)

    def __len__(self) -> int:
        shortest = self.num_pairs // self.num_streams
        return (
            shortest // self.num_steps if self.tail == "drop" else ceil(shortest / self.num_steps)
        )

    def __iter__(self) -> Iterator[Rows]:
        epoch, done = self.position(len(self))
        _, first = self._drawn(epoch)
        begins, lengths = _streams(self.num_pairs, self.num_streams, self.batch_size, self.rank)
        for past in range(done * self.num_steps, len(self) * self.num_steps, self.num_steps):
            yield Rows(epoch, _positions(first + begins + past, lengths - past, self.num_steps))


class EvaluationStreams(EvaluationBatches):
    """Every pair exactly once, in consecutive streams; rows that have ended are padded.

    All ranks yield the same number of batches of the same shape, at least one; of rows or whole
    batches that have no token left every target is `IGNORED`. The streams are the same on any
    number of processes.

    Args:
        dataset: The text.
        batch_size: Streams a process.
        num_steps: Tokens of each stream a batch.
        num_streams: Number of streams of all processes, if there are to be fewer.
        ranks: Rank and number of processes, as of `EvaluationBatches`.
    """

    def __init__(
        self,
        dataset: WholeBatches,
        batch_size: int,
        num_steps: int,
        num_streams: int | None = None,
        **ranks: int,
    ) -> None:
        super().__init__(dataset, batch_size, **ranks)
        self.num_pairs, self.num_steps = len(dataset), num_steps
        most = batch_size * self.num_replicas
        self.num_streams = min(num_streams or most, most)

    def __len__(self) -> int:
        longest = ceil(self.num_pairs / self.num_streams)
        return max(1, ceil(longest / self.num_steps))

    def __iter__(self) -> Iterator[Rows]:  # type: ignore[override]
        rows = ceil(self.num_streams / self.num_replicas)
        begins, lengths = _streams(self.num_pairs, self.num_streams, rows, self.rank)
        for past in range(0, len(self) * self.num_steps, self.num_steps):
            yield Rows(0, _positions(begins + past, lengths - past, self.num_steps))


def _streams(num_pairs: int, num_streams: int, rows: int, rank: int) -> tuple[Tensor, Tensor]:
    """First positions and lengths of a rank's streams, int64 (rows) each.

    The pairs are cut into `num_streams` of equal length; the first ones have one more where that
    leaves a rest. Rows past the last stream have none.
    """
    length, longer = divmod(num_pairs, num_streams)
    streams = torch.arange(rows) + rank * rows
    lengths = (length + (streams < longer).long()) * (streams < num_streams)
    return streams * length + streams.clamp(max=longer), lengths


def _positions(begins: Tensor, lengths: Tensor, num_steps: int) -> Tensor:
    """Places int64 (batch, steps) of rows that begin at `begins`; -1 past the rows' lengths."""
    steps = torch.arange(num_steps)
    return (begins[:, None] + steps).masked_fill(steps >= lengths[:, None], -1)
