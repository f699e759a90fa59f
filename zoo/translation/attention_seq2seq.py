"""AttentionSeq2Seq: a recurrent decoder that looks at all of the source before each token.

Paper:  Bahdanau, Cho and Bengio 2015, https://arxiv.org/abs/1409.0473, Figure 1
Shapes: (batch, 10) of 389 tokens, (batch, 10) -> (batch, 10, 811)
Size:   105,131 parameters
Config: attention_seq2seq-fra_eng, attention_seq2seq_full-fra_eng
Result: attention_seq2seq-fra_eng: training loss a token 0.1769 after 300 epochs (real corpus, its
        first 1,000 pairs, 1,000 of 167,130 pairs, seed 0, 2026-11-30: `zoo fit
        attention_seq2seq-fra_eng`)
Result: attention_seq2seq_full-fra_eng: test BLEU 25.4 after 5 epochs (real corpus, seed 0,
        2026-11-25: `zoo fit attention_seq2seq_full-fra_eng`, `zoo test`)
"""

from typing import Any, Literal

import torch
from torch import Tensor

from zoo.layers.attention import AdditiveAttention, Attention, DotProductAttention, recorded, within
from zoo.shapes import AttentionMaps, Lengths, SourceTokens, State, TokenLogits, Tokens
from zoo.translation.recurrent import RecurrentTranslator
from zoo.translation.task import FRA_ENG


class AttentionSeq2Seq(RecurrentTranslator):
    """Beside each token the decoder reads a mean of the encoder's states, weighted by its own.

    Args:
        source_vocab_size: Number of tokens of the source.
        target_vocab_size: Number of tokens of the target.
        score: Score of a state and an encoder's state: dot_product, scaled, or additive.
        recurrent: Arguments of every recurrent translator.
    """

    example_sizes = FRA_ENG

    def __init__(
        self,
        source_vocab_size: int,
        target_vocab_size: int,
        score: Literal["dot_product", "additive"] = "additive",
        **recurrent: Any,
    ) -> None:
        super().__init__(source_vocab_size, target_vocab_size, **recurrent)
        self.save_hyperparameters()
        size, rate = self.hidden_size, self.dropout.p
        self.attend: Attention = (
            AdditiveAttention(size, size, size, rate)
            if score == "additive"
            else DotProductAttention(rate)
        )

    def encode(self, source: SourceTokens, lengths: Lengths) -> State:
        states, last = self.read(source, lengths)
        return (within(lengths, source.shape[1]), self.attend.prepare(states), states, *last)

    def initial_state(self, memory: State) -> State:
        return memory[3:]

    def unroll(self, tokens: Tokens, state: State, memory: State) -> tuple[TokenLogits, State]:
        allowed, keys, values, *_ = memory
        embedded = self.dropout(self.target_embedding(tokens))
        states: list[Tensor] = []
        for token in embedded.split(1, 1):
            context = self.attend.look(state[0][:, -1:], keys, values, allowed[:, None])
            made, state = self.write(torch.cat([token, context], 2), state)
            states.append(made)
        return self.predict(torch.cat(states, 1)), state

    def attention(
        self, source: SourceTokens, source_lengths: Lengths, tokens: Tokens
    ) -> AttentionMaps:
        """Where in the source each token of a translation looked when it was read."""
        with recorded(self.attend) as weights:
            self(source, source_lengths, tokens)
        return torch.cat(weights, 1)[:, None]
