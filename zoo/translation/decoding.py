"""Sentences from a translator, a token at a time and all rows at once: greedy, or beam search.

Source: Sutskever, Vinyals and Le 2014, https://arxiv.org/abs/1409.3215, Section 3.2; Zhang,
        Lipton, Li and Smola 2023, https://d2l.ai, section 10.8 (the length penalty)
"""

from collections.abc import Sequence
from math import inf
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from zoo.errors import InputError
from zoo.shapes import Lengths, SourceTokens, State, TokenLogits, Tokens


class Hypothesis(NamedTuple):
    """A translation that was found.

    Attributes:
        tokens: Without <bos> and <eos>.
        score: Its log-probability, <eos> included, divided by a power of its length.
    """

    tokens: list[int]
    score: float


@runtime_checkable
class Decodable(Protocol):
    """What can be decoded from: see `Translator`. All tensors are (batch, ...)."""

    bos_index: int
    eos_index: int

    def encode(self, source: SourceTokens, lengths: Lengths) -> State:
        """What sentences are read into."""
        ...

    def initial_state(self, memory: State) -> State:
        """The state of translations of which nothing is written."""
        ...

    def unroll(self, tokens: Tokens, state: State, memory: State) -> tuple[TokenLogits, State]:
        """Logits of the token after each of these, and the state after the last.

        The state that was given is used up: the new one may be written into it.
        """
        ...


@torch.no_grad()
def decode(
    model: Decodable,
    source: SourceTokens,
    lengths: Lengths,
    beam_size: int = 1,
    *,
    n_best: int = 1,
    length_penalty: float = 0.75,
    max_steps: int | None = None,
    barred: Sequence[int] = (),
) -> list[list[Hypothesis]]:
    """Translates sentences, in evaluation mode.

    Of each sentence the `beam_size` most probable beginnings are followed. One that ends among
    them is set aside; when so many are, the search for that sentence is over, and its row leaves
    the batch. What has not ended after `max_steps` counts as it is. A beam of 1 is greedy: the
    most probable token each time.

    Args:
        model: Writes the translations.
        source: (batch, source_steps).
        lengths: Lengths of the sources, (batch).
        beam_size: Beginnings followed.
        n_best: Number of translations to return, `beam_size` at most.
        length_penalty: Power of the length, <eos> included, by which a log-probability is divided.
        max_steps: Most tokens of a translation; by default twice the longest source and ten more.
        barred: Tokens that are never written, say that of unknown words.

    Returns:
        For each sentence `n_best` translations, the best first; fewer where there are no more.

    Raises:
        InputError: A setting is out of bounds.
    """
    if beam_size < 1 or not 1 <= n_best <= beam_size:
        raise InputError(f"beam_size is {beam_size} and n_best {n_best}: 1 <= n_best <= beam_size")
    if max_steps is not None and max_steps < 1:
        raise InputError(f"max_steps is {max_steps}; it has to be 1 or more")
    training = getattr(model, "training", False)
    if isinstance(model, torch.nn.Module):
        model.eval()
    try:
        steps = max_steps or 2 * source.shape[1] + 10
        search = _Search(model, source, lengths, beam_size, length_penalty, barred)
        for step in range(steps):
            if not search.advance(last=step == steps - 1):
                break
    finally:
        if isinstance(model, torch.nn.Module):
            model.train(training)
    return [sorted(found, key=lambda h: -h.score)[:n_best] for found in search.found]


class _Search:
    """Rows of a batch, each with the beginnings that are followed; beams lie next to one another.

    Args:
        model: Writes the translations.
        source: (batch, source_steps).
        lengths: (batch).
        beam_size: Beginnings of each row.
        length_penalty: Power of the length.
        barred: Tokens that are never written.
    """

    def __init__(
        self,
        model: Decodable,
        source: Tensor,
        lengths: Tensor,
        beam_size: int,
        length_penalty: float,
        barred: Sequence[int],
    ) -> None:
        self.model, self.width, self.power = model, beam_size, length_penalty
        self.found: list[list[Hypothesis]] = [[] for _ in source]
        self.rows = list(range(len(source)))  # those that are searched on
        self.barred = torch.tensor(barred, dtype=torch.int64, device=source.device)
        memory = model.encode(source, lengths)
        self.memory = tuple(part.repeat_interleave(beam_size, 0) for part in memory)
        self.state = model.initial_state(self.memory)
        self.tokens = source.new_full((len(source) * beam_size, 1), model.bos_index)
        # All beams of a row are the same at first: one of them counts.
        self.scores = torch.full((len(source), beam_size), -inf, device=source.device)
        self.scores[:, 0] = 0.0

    def advance(self, last: bool) -> bool:
        """Adds a token to each beginning; whether there is more to do."""
        logits, state = self.model.unroll(self.tokens[:, -1:], self.state, self.memory)
        logs = logits[:, -1].float().log_softmax(1).index_fill_(1, self.barred, -inf)
        # Each beginning ends in one way: of twice as many candidates enough go on. One that is
        # followed alone needs no other candidate: when it ends the search is over.
        enough = 2 * self.width if self.width > 1 else 1
        wanted = min(enough, logs.shape[1])
        values, tokens = logs.topk(wanted, 1)
        values = self.scores.flatten()[:, None] + values
        values, tokens = (part.reshape(len(self.rows), -1) for part in (values, tokens))
        scores, places = values.topk(min(enough, values.shape[1]), 1)
        tokens = tokens.gather(1, places)
        first = torch.arange(len(self.rows), device=places.device)[:, None] * self.width
        beams = first + places // wanted
        ended = (tokens == self.model.eos_index) | last
        self._set_aside(scores, beams, tokens, ended)
        order = ended.int().argsort(dim=1, stable=True)[:, : self.width]  # those that go on first
        scores = scores.masked_fill(ended, -inf).gather(1, order)
        beams, tokens = beams.gather(1, order), tokens.gather(1, order)
        going = (scores[:, 0] > -inf).tolist()
        kept = [
            place
            for place, row in enumerate(self.rows)
            if going[place] and len(self.found[row]) < self.width
        ]
        if len(kept) < len(self.rows):
            self.rows = [self.rows[place] for place in kept]
            places = torch.tensor(kept, dtype=torch.int64, device=scores.device)
            self.memory = tuple(
                part.unflatten(0, (-1, self.width))[places].flatten(0, 1) for part in self.memory
            )
            scores, beams, tokens = scores[places], beams[places], tokens[places]
        chosen = beams.flatten()
        if self.width == 1 and len(chosen) == len(self.tokens):  # all in place already
            self.state = state
        else:
            self.state = tuple(part.index_select(0, chosen) for part in state)
            self.tokens = self.tokens[chosen]
        self.scores = scores
        self.tokens = torch.cat([self.tokens, tokens.flatten()[:, None]], 1)
        return bool(kept)

    def _set_aside(self, scores: Tensor, beams: Tensor, tokens: Tensor, ended: Tensor) -> None:
        """Keeps those among the best `width` of each row that have ended."""
        over = ended[:, : self.width] & (scores[:, : self.width] > -inf)
        for place, rank in over.nonzero().tolist():
            written = [*self.tokens[beams[place, rank], 1:].tolist(), tokens[place, rank].item()]
            length = len(written)
            if written[-1] == self.model.eos_index:
                written.pop()
            score = scores[place, rank].item() / length**self.power
            self.found[self.rows[place]].append(Hypothesis(written, score))
