"""Attention: queries look up values by keys, weighted; from equations and by torch's kernel.

Every `allowed` is True where a query may look; a query that may look nowhere gets zeros.

Source: Bahdanau, Cho and Bengio 2015, https://arxiv.org/abs/1409.0473, Appendix A.1.2 (additive);
        Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, Sections 3.2 and 3.5; Zhang, Lipton,
        Li and Smola 2023, https://d2l.ai, sections 11.3 to 11.6
"""

from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention

from zoo.errors import InputError

Places = Bool[Tensor, "*rows size"]
AnyLengths = Int[Tensor, "*rows"]
AnyScores = Float[Tensor, "*rows keys"]
Positions = Float[Tensor, "positions embed"]
Rows = Float[Tensor, "batch steps embed"]
Queries = Float[Tensor, "batch queries query"]
Keys = Float[Tensor, "batch keys key"]
Values = Float[Tensor, "batch keys value"]
Found = Float[Tensor, "batch queries value"]
Scores = Float[Tensor, "batch queries keys"]
Heads = Float[Tensor, "batch heads steps size"]
OtherHeads = Float[Tensor, "batch heads keys size"]
Extended = Float[Tensor, "batch heads room size"]
Allowed = Bool[Tensor, "..."]  # spreads over (batch, queries, keys), or (batch, heads, ...)
KeysValues = tuple[Tensor, Tensor]

LEAST_ROOM = 32  # steps


def within(lengths: AnyLengths, size: int) -> Places:
    """True at the places before each length: those of a row's own steps, not of its padding."""
    return torch.arange(size, device=lengths.device) < lengths[..., None]


def masked_softmax(scores: AnyScores, allowed: Allowed | None = None) -> AnyScores:
    """Softmax over what is allowed; the rest is 0, and so is all where nothing is allowed."""
    if allowed is None:
        return scores.softmax(-1)
    weights = scores.masked_fill(~allowed, -inf).softmax(-1)
    return weights.masked_fill(~allowed, 0.0)


class Attention(nn.Module):
    """Base of the kinds of attention: weights of keys for each query, and sums of values.

    Args:
        dropout: Probability of dropping a weight.
    """

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self._record: list[Tensor] | None = None

    def prepare(self, keys: Keys) -> Rows:
        """What is made of keys alone, once for all queries."""
        return keys

    def scores(self, queries: Queries, prepared: Keys) -> Scores:
        """How well each key answers each query."""
        raise TypeError(f"{type(self).__name__} does not say how it scores")

    def look(
        self, queries: Queries, prepared: Keys, values: Values, allowed: Allowed | None = None
    ) -> Found:
        """What the queries find, of keys that were prepared."""
        weights = masked_softmax(self.scores(queries, prepared), allowed)
        self.note(weights)
        return self.dropout(weights) @ values

    def forward(
        self, queries: Queries, keys: Keys, values: Values, allowed: Allowed | None = None
    ) -> Found:
        return self.look(queries, self.prepare(keys), values, allowed)

    def note(self, weights: Tensor) -> None:
        """Keeps the weights where somebody records them."""
        if self._record is not None:
            self._record.append(weights.detach())


@contextmanager
def recorded(attention: Attention) -> Iterator[list[Tensor]]:
    """The weights of each call of `attention` within, in order."""
    weights: list[Tensor] = []
    attention._record = weights
    try:
        yield weights
    finally:
        attention._record = None


class DotProductAttention(Attention):
    """score = q . k / sqrt(d)."""

    def scores(self, queries: Queries, prepared: Keys) -> Scores:
        return queries @ prepared.transpose(1, 2) * queries.shape[-1] ** -0.5


class AdditiveAttention(Attention):
    """score = w . tanh(W_q q + W_k k), for queries and keys of different sizes.

    Args:
        query_size: Values of a query.
        key_size: Values of a key.
        hidden_size: Values of what both are mapped to.
        dropout: Probability of dropping a weight.
    """

    def __init__(
        self, query_size: int, key_size: int, hidden_size: int, dropout: float = 0.0
    ) -> None:
        super().__init__(dropout)
        self.query = nn.Linear(query_size, hidden_size, bias=False)
        self.key = nn.Linear(key_size, hidden_size, bias=False)
        self.score = nn.Linear(hidden_size, 1, bias=False)

    def prepare(self, keys: Keys) -> Rows:
        return self.key(keys)

    def scores(self, queries: Queries, prepared: Keys) -> Scores:
        pairs = self.query(queries)[:, :, None] + prepared[:, None]
        return self.score(pairs.tanh()).squeeze(3)


class MultiHeadAttention(Attention):
    """softmax(Q K^T / sqrt(d)) V in several heads, each of its own projections of the rows.

    Parameters have the names and shapes of `nn.MultiheadAttention`'s: weights copy over. Keys and
    values are made apart from the attention to them, so that they can be kept and added to.

    Args:
        embed_dim: Values of a row; the heads share them.
        num_heads: Heads.
        dropout: Probability of dropping a weight.
        kernel: torch's, or the equation, which is equal and slower; recording takes the equation.

    Raises:
        InputError: The heads cannot share the values evenly.
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        kernel: Literal["torch", "equation"] = "torch",
    ) -> None:
        super().__init__(dropout)
        if num_heads < 1 or embed_dim % num_heads:
            raise InputError(
                f"{num_heads} heads cannot share {embed_dim} values: embed_dim has to be a "
                "multiple of num_heads"
            )
        self.embed_dim, self.num_heads, self.kernel = embed_dim, num_heads, kernel
        self.in_proj_weight = nn.Parameter(torch.empty(3 * embed_dim, embed_dim))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * embed_dim))
        self.out_proj = nn.Linear(embed_dim, embed_dim)
        nn.init.xavier_uniform_(self.in_proj_weight)

    def project(self, rows: Rows, first: int, last: int) -> tuple[Heads, ...]:
        """Of queries (0), keys (1) and values (2) those from `first` to before `last`."""
        part = slice(first * self.embed_dim, last * self.embed_dim)
        made = linear(rows, self.in_proj_weight[part], self.in_proj_bias[part])
        return made.unflatten(2, (last - first, self.num_heads, -1)).permute(2, 0, 3, 1, 4).unbind()

    def keys_values(self, rows: Rows) -> KeysValues:
        """The keys and values of rows, (batch, heads, steps, size) each."""
        keys, values = self.project(rows, 1, 3)
        return keys, values

    def queries(self, rows: Rows) -> Heads:
        """The queries of rows."""
        return self.project(rows, 0, 1)[0]

    def attend(
        self,
        queries: Heads,
        keys: OtherHeads,
        values: OtherHeads,
        allowed: Allowed | None = None,
        causal: bool = False,
    ) -> Rows:
        """What the queries find.

        Args:
            queries: (batch, heads, queries, size).
            keys: (batch, heads, keys, size).
            values: As `keys`.
            allowed: Where each query may look.
            causal: Whether the first query may look at the first key alone, the next at two ...;
                instead of `allowed`.
        """
        if self.kernel == "torch" and self._record is None:
            rate = self.dropout.p if self.training else 0.0
            found = scaled_dot_product_attention(
                queries, keys, values, attn_mask=allowed, dropout_p=rate, is_causal=causal
            )
        else:
            if causal:
                shape = queries.shape[2], keys.shape[2]
                allowed = torch.ones(shape, dtype=torch.bool, device=queries.device).tril()
            scores = queries @ keys.transpose(2, 3) * queries.shape[-1] ** -0.5
            weights = masked_softmax(scores, allowed)
            self.note(weights)
            found = self.dropout(weights) @ values
        return self.out_proj(found.transpose(1, 2).flatten(2))

    def forward(
        self, queries: Queries, keys: Keys, values: Values, allowed: Allowed | None = None
    ) -> Found:
        other = self.project(keys, 1, 2)[0], self.project(values, 2, 3)[0]
        return self.attend(self.queries(queries), *other, allowed)


def extended(past: OtherHeads, new: Heads, before: int) -> Extended:
    """The first `before` steps of `past`, and `new` after them; what is behind those is room.

    As a list grows: where `past` has room, `new` is written into it; otherwise into a copy with
    room for as many steps again, so that a step costs the same however many there are. Under
    autograd always into a copy, without room.

    Args:
        past: Keys or values, (batch, heads, before and room, size).
        new: (batch, heads, steps, size).
        before: How many steps of `past` count.
    """
    batch, heads, room, size = past.shape
    after = before + new.shape[2]
    if torch.is_grad_enabled():
        return torch.cat([past[:, :, :before], new], 2)
    if after > room:
        past, old = new.new_empty(batch, heads, max(2 * after, LEAST_ROOM), size), past
        past[:, :, :before] = old[:, :, :before]
    past[:, :, before:after] = new
    return past


def sinusoids(num_positions: int, embed_dim: int) -> Positions:
    """Position p: sin(p / 10000^(2i / embed_dim)) at 2i, the cosine at 2i + 1.

    Source: Vaswani et al. 2017, Section 3.5
    """
    positions = torch.arange(num_positions)[:, None]
    angles = positions * 10_000 ** (-torch.arange(0, embed_dim, 2) / embed_dim)
    return torch.stack([angles.sin(), angles.cos()], 2).flatten(1)[:, :embed_dim]
