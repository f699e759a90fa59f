"""The Transformer's block: attention to a sequence itself, to another, and a dense part.

Source: Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, Figure 1 and Sections 3.1 to 3.3;
        norms first: Xiong et al. 2020, https://arxiv.org/abs/2002.04745, Figure 1 (b)
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from zoo.layers.attention import Allowed, KeysValues, MultiHeadAttention, Rows, extended

Norm = Literal["pre", "post"]


class TransformerBlock(nn.Module):
    """Parts of which each adds to what it reads: attention, attention to a source, a dense part.

    A part p is x + dropout(p(norm(x))) with norms first (pre), norm(x + dropout(p(x))) as
    published (post).

    Args:
        embed_dim: Values of a step.
        ffn_dim: Values between the dense layers.
        num_heads: Heads of attention.
        dropout: Probability of dropping a value of what is added, and a weight of attention.
        norm: pre or post.
        cross: Whether there is a source to attend to, as in a decoder.
        activation: Of the dense part.
        kernel: Of the attention: torch or equation.
    """

    def __init__(
        self,
        embed_dim: int,
        ffn_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        norm: Norm = "pre",
        cross: bool = False,
        activation: type[nn.Module] = nn.ReLU,
        kernel: Literal["torch", "equation"] = "torch",
    ) -> None:
        super().__init__()
        options: dict[str, Any] = {"dropout": dropout, "kernel": kernel}
        self.pre = norm == "pre"
        self.attention = MultiHeadAttention(embed_dim, num_heads, **options)
        self.attention_norm = nn.LayerNorm(embed_dim)
        if cross:
            self.of_source = MultiHeadAttention(embed_dim, num_heads, **options)
            self.of_source_norm = nn.LayerNorm(embed_dim)
        self.dense = nn.Sequential(
            nn.Linear(embed_dim, ffn_dim), activation(), nn.Linear(ffn_dim, embed_dim)
        )
        self.dense_norm = nn.LayerNorm(embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Rows,
        past: KeysValues | None = None,
        before: int = 0,
        allowed: Allowed | None = None,
        causal: bool = False,
        source: KeysValues | None = None,
        source_allowed: Allowed | None = None,
    ) -> tuple[Rows, KeysValues]:
        """What becomes of new steps, and the keys and values of all, behind which may be room.

        Args:
            x: (batch, steps, embed_dim), the new steps.
            past: Keys and values of the steps before, (batch, heads, before and room, size) each;
                new ones may be written into the room.
            before: How many steps that is.
            allowed: Where the new steps may look among all.
            causal: Whether each looks at itself and at what is before it alone.
            source: Keys and values that the source was given by `of_source.keys_values`.
            source_allowed: Where in the source the steps may look.
        """
        rows = self.attention_norm(x) if self.pre else x
        queries, *new = self.attention.project(rows, 0, 3)
        keys, values = new
        if past and before:
            keys, values = (extended(*parts, before) for parts in zip(past, new, strict=True))
        steps = x.shape[1]
        if causal and before:
            square = torch.ones(steps, before + steps, dtype=torch.bool, device=x.device)
            allowed, causal = square.tril(before) if steps > 1 else None, False
        seen = slice(before + steps)
        found = self.attention.attend(
            queries, keys[:, :, seen], values[:, :, seen], allowed, causal
        )
        x = self._add(x, found, self.attention_norm)
        if source:
            queries = self.of_source.queries(self.of_source_norm(x) if self.pre else x)
            found = self.of_source.attend(queries, *source, source_allowed)
            x = self._add(x, found, self.of_source_norm)
        x = self._add(x, self.dense(self.dense_norm(x) if self.pre else x), self.dense_norm)
        return x, (keys, values)

    def _add(self, x: Tensor, part: Tensor, norm: nn.Module) -> Tensor:
        x = x + self.dropout(part)
        return x if self.pre else norm(x)
