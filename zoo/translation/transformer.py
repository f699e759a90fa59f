"""Transformer: attention alone, in an encoder that looks everywhere and a decoder that looks back.

Paper:  Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser and Polosukhin 2017,
        https://arxiv.org/abs/1706.03762, Figure 1; norms first: Xiong et al. 2020,
        https://arxiv.org/abs/2002.04745
Shapes: (batch, 10) of 389 tokens, (batch, 10) -> (batch, 10, 811)
Size:   107,104 parameters
Config: transformer-fra_eng, transformer_full-fra_eng
Result: transformer-fra_eng: training loss a token 0.1776 after 250 epochs (real corpus, its first
        1,000 pairs, 1,000 of 167,130 pairs, seed 0, 2026-11-30: `zoo fit transformer-fra_eng`)
Result: transformer_full-fra_eng: test BLEU 45.8 after 5 epochs (real corpus, seed 0, 2026-11-25:
        `zoo fit transformer_full-fra_eng`, `zoo test`)
"""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from zoo.errors import InputError, in_bounds
from zoo.layers.attention import Heads, recorded, sinusoids, within
from zoo.layers.transformer import Norm, TransformerBlock
from zoo.shapes import AttentionMaps, Lengths, SourceTokens, State, TokenLogits, Tokens
from zoo.translation.task import FRA_ENG, Translator


class Transformer(Translator):
    """Embeddings and positions; blocks that read the source; blocks that write after it.

    Embeddings are scaled by sqrt(embed_dim), as published; sums are dropped from before the first
    block. What the source was read into is the keys and values of each decoder block for it, and
    where they may be looked at; the state is the tokens before, and each block's keys and values
    of them with room for more, so that a token more costs one row, at the position that follows.

    Args:
        source_vocab_size: Number of tokens of the source.
        target_vocab_size: Number of tokens of the target.
        embed_dim: Values of an embedding, and of what each block reads and writes.
        ffn_dim: Values between the dense layers of a block.
        num_heads: Heads of attention; they share `embed_dim`.
        num_layers: Blocks of the encoder, and of the decoder.
        dropout: Probability of dropping a value of an embedding, a weight of an attention, a value
            of what a block adds.
        norm: post as published, or pre, which needs no warm-up.
        tied: Whether the head's weights are the target's embeddings (target), and the source's too
            (all), for which the vocabularies have to be one; or neither (none).
        max_length: Positions that are computed ahead; more are when they are needed.
        kernel: Attention by torch's kernel, or by the equation.
        translator: Arguments of every translator.

    Raises:
        InputError: The arguments contradict one another.
    """

    example_sizes = FRA_ENG
    positions: Tensor
    decoder: Sequence[TransformerBlock]

    def __init__(
        self,
        source_vocab_size: int,
        target_vocab_size: int,
        embed_dim: int = 32,
        ffn_dim: int = 64,
        num_heads: int = 4,
        num_layers: int = 2,
        dropout: float = 0.05,
        norm: Norm = "post",
        tied: Literal["none", "target", "all"] = "none",
        max_length: int = 256,
        kernel: Literal["torch", "equation"] = "torch",
        **translator: Any,
    ) -> None:
        super().__init__(**translator)
        self.save_hyperparameters()
        in_bounds(
            1,
            embed_dim=embed_dim,
            ffn_dim=ffn_dim,
            num_heads=num_heads,
            num_layers=num_layers,
            max_length=max_length,
        )
        in_bounds(0, 1, dropout=dropout)
        if tied == "all" and source_vocab_size != target_vocab_size:
            raise InputError(
                f"source and target of {source_vocab_size:,} and {target_vocab_size:,} tokens "
                "cannot share embeddings: --data.shared_vocab true, or --model.tied target"
            )
        self.embed_dim = embed_dim
        self.source_embedding = nn.Embedding(source_vocab_size, embed_dim)
        self.target_embedding = nn.Embedding(target_vocab_size, embed_dim)
        self.register_buffer("positions", sinusoids(max_length, embed_dim), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = (embed_dim, ffn_dim, num_heads, dropout, norm)
        self.encoder = nn.ModuleList(
            TransformerBlock(*sizes, kernel=kernel) for _ in range(num_layers)
        )
        self.decoder = nn.ModuleList(  # type: ignore[assignment]
            TransformerBlock(*sizes, cross=True, kernel=kernel) for _ in range(num_layers)
        )
        last = nn.LayerNorm if norm == "pre" else lambda _: nn.Identity()
        self.encoder_norm, self.decoder_norm = last(embed_dim), last(embed_dim)
        self.head = nn.Linear(embed_dim, target_vocab_size, bias=False)
        for name, parameter in self.named_parameters():
            if name.endswith("embedding.weight") or name == "head.weight":
                nn.init.normal_(parameter, std=embed_dim**-0.5)
            elif parameter.ndim > 1:
                nn.init.xavier_uniform_(parameter)
        if tied != "none":
            self.head.weight = self.target_embedding.weight
        if tied == "all":
            self.source_embedding.weight = self.target_embedding.weight

    def embed(self, tokens: Tokens, embedding: nn.Embedding, before: int = 0) -> Tensor:
        """What the first block reads of tokens after `before` others."""
        length = before + tokens.shape[1]
        if length > len(self.positions):
            self.positions = sinusoids(2 * length, self.embed_dim).to(self.positions)
        scaled = embedding(tokens) * self.embed_dim**0.5
        return self.dropout(scaled + self.positions[before:length])

    def encode(self, source: SourceTokens, lengths: Lengths) -> State:
        allowed = within(lengths, source.shape[1])[:, None, None]
        x = self.embed(source, self.source_embedding)
        for block in self.encoder:
            x, _ = block(x, allowed=allowed)
        x = self.encoder_norm(x)
        known = (part for block in self.decoder for part in block.of_source.keys_values(x))
        return (allowed, *known)

    def initial_state(self, memory: State) -> State:
        written = memory[0].new_empty(len(memory[0]), 0, dtype=torch.int64)
        return (written, *(part[:, :, :0] for part in memory[1:]))

    def unroll(self, tokens: Tokens, state: State, memory: State) -> tuple[TokenLogits, State]:
        allowed, written = memory[0], state[0]
        before = written.shape[1]
        x = self.embed(tokens, self.target_embedding, before)
        after: list[Heads] = []
        for index, block in enumerate(self.decoder):
            pair = slice(2 * index + 1, 2 * index + 3)
            past, source = state[pair], memory[pair]
            x, made = block(x, past, before, causal=True, source=source, source_allowed=allowed)
            after += made
        return self.head(self.decoder_norm(x)), (torch.cat([written, tokens], 1), *after)

    def attention(
        self, source: SourceTokens, source_lengths: Lengths, tokens: Tokens
    ) -> AttentionMaps:
        """Where in the source the last block looks when it reads each token of a translation."""
        with recorded(self.decoder[-1].of_source) as weights:
            self(source, source_lengths, tokens)
        return weights[0]
