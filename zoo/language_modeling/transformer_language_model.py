"""TransformerLanguageModel: each token looks at all before it; nothing is read step by step.

Paper:  Radford, Wu, Child, Luan, Amodei and Sutskever 2019, Language Models are Unsupervised
        Multitask Learners, Section 2.3; the block: Vaswani et al. 2017,
        https://arxiv.org/abs/1706.03762, Figure 1 (right), without the middle
Shapes: (batch, 35) -> (batch, 35, 28)
Size:   833,280 parameters
Config: transformer_language_model-time_machine
Result: transformer_language_model-time_machine: perplexity of the last tenth 4.3627 after 30 epochs
        (real corpus, seed 0, 2026-11-30: `zoo fit transformer_language_model-time_machine`)
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from zoo.errors import InputError, in_bounds
from zoo.language_modeling.task import TIME_MACHINE, LanguageModel
from zoo.layers.attention import sinusoids
from zoo.layers.transformer import TransformerBlock
from zoo.shapes import State, TokenLogits, Tokens


class TransformerLanguageModel(LanguageModel):
    """Embeddings and positions, blocks of attention and a dense part, and logits.

    The state is the tokens read, and the keys and values of each block for them, so that a next
    token costs one row. Where a text gets longer than `context_size`, its last half is read anew
    as if it began there.

    Args:
        vocab_size: Number of tokens.
        embed_dim: Values of an embedding, and of what each block reads and writes.
        num_heads: Heads of attention; they share `embed_dim`.
        num_layers: Blocks.
        context_size: Most tokens that are looked at together.
        dropout: Probability of dropping a value of an embedding, of an attention, and of what a
            block adds.
        positions: learned, or sinusoidal as in the paper of 2017.
        carry_state: Of no use here: each row is read from its beginning.
        task: Arguments of every language model.

    Raises:
        InputError: The arguments contradict one another, or a batch has longer rows than
            `context_size`.
    """

    example_sizes = TIME_MACHINE

    def __init__(
        self,
        vocab_size: int,
        embed_dim: int = 128,
        num_heads: int = 4,
        num_layers: int = 4,
        context_size: int = 256,
        dropout: float = 0.1,
        positions: Literal["learned", "sinusoidal"] = "learned",
        carry_state: bool = False,
        **task: Any,
    ) -> None:
        super().__init__(carry_state=False, **task)
        self.save_hyperparameters()
        in_bounds(
            1,
            embed_dim=embed_dim,
            num_heads=num_heads,
            num_layers=num_layers,
            context_size=context_size,
        )
        in_bounds(0, 1, dropout=dropout)
        if embed_dim % (2 * num_heads):
            raise InputError(
                f"embed_dim is {embed_dim}; it has to be a multiple of 2 num_heads, {2 * num_heads}"
            )
        self.embed_dim, self.num_heads, self.context_size = embed_dim, num_heads, context_size
        self.embedding = nn.Embedding(vocab_size, embed_dim)
        if positions == "learned":
            self.positions: Tensor = nn.Parameter(torch.empty(context_size, embed_dim))
        else:
            self.register_buffer("positions", sinusoids(context_size, embed_dim), persistent=False)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(
            TransformerBlock(embed_dim, 4 * embed_dim, num_heads, dropout, activation=nn.GELU)
            for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(embed_dim)
        self.head = nn.Linear(embed_dim, vocab_size, bias=False)
        for name, parameter in self.named_parameters():
            if parameter.ndim > 1:
                # What is added to the sum is smaller the more blocks add to it.
                adds = name.endswith(("out_proj.weight", "dense.2.weight"))
                nn.init.normal_(parameter, std=0.02 * (2 * num_layers) ** (-0.5 * adds))
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def initial_state(self, rows: int) -> State:
        weight = self.head.weight
        size = self.embed_dim // self.num_heads
        nothing = weight.new_zeros(1, rows, self.num_heads, 0, size)
        seen = torch.zeros(1, rows, 0, dtype=torch.int64, device=weight.device)
        return (seen, *[nothing] * (2 * len(self.blocks)))

    def unroll(self, tokens: Tokens, state: State) -> tuple[TokenLogits, State]:
        seen = state[0]
        before, steps = seen.shape[2], tokens.shape[1]
        if steps > self.context_size:
            raise InputError(
                f"rows of {steps} tokens are longer than context_size, {self.context_size}"
            )
        seen = torch.cat([seen, tokens[None]], 2)
        if before + steps > self.context_size:
            kept = max(steps, self.context_size // 2)
            logits, state = self.unroll(seen[0, :, -kept:], self.initial_state(len(tokens)))
            return logits[:, -steps:], state
        x = self.dropout(self.embedding(tokens) + self.positions[before : before + steps])
        after: list[Tensor] = []
        for index, block in enumerate(self.blocks):
            past = tuple(part[0] for part in state[2 * index + 1 : 2 * index + 3])
            x, made = block(x, past, before, causal=True)
            after += (part[None] for part in made)
        return self.head(self.norm(x)), (seen, *after)
