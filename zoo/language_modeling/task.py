"""LanguageModel: cross-entropy of the next token, and perplexity; states carried between batches.

Batch: (tokens, targets)
"""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback
from torch import Tensor
from torch.nn.functional import cross_entropy

from zoo.errors import InputError
from zoo.language_modeling.pictures import TextPictures, TextSamples
from zoo.shapes import IGNORED, State, TokenLogits, Tokens
from zoo.task import Step, Task

TIME_MACHINE = {"vocab_size": 28, "num_steps": 35}


class LanguageModel(Task):
    """Base of the language models: `initial_state` and `unroll` are the recurrence over a text.

    A state holds what was read: tensors (layers, batch, ...). Perplexity is the exponential of the
    mean loss of all tokens: 1 where each next token is certain, the size of the vocabulary where
    all are equally likely. Targets of -100 count for nothing. Predictions are the logarithms of the
    probabilities that the targets were given, (batch, steps), and in training their sum.

    Where batches continue one another row by row, `carry_state` hands the state on from batch to
    batch, without its gradient, from the first batch of an epoch to the last; validation has a
    state of its own. It is in the checkpoint, that of each process.

    Args:
        carry_state: Whether a row of a batch goes on where the same row of the last batch ended;
            the corpus says so.
        task: Arguments of every task.
    """

    monitor = "val/perplexity"

    def __init__(self, carry_state: bool = True, **task: Any) -> None:
        super().__init__(**task)
        self.carry_state = carry_state
        self._carried: dict[bool, State] = {}  # in training, and in evaluation
        self._saved: list[list[Tensor]] = []  # of each process, from a checkpoint

    def initial_state(self, rows: int) -> State:
        """Returns the state of a number of texts before their first token."""
        raise TypeError(f"{type(self).__name__} does not say what it begins with")

    def unroll(self, tokens: Tokens, state: State) -> tuple[TokenLogits, State]:
        """Returns the logits of the token after each of these, and the state after the last."""
        raise TypeError(f"{type(self).__name__} does not say how it reads")

    def forward(self, tokens: Tokens) -> TokenLogits:
        """Logits of the token after each, of texts read from their beginning."""
        return self.unroll(tokens, self.initial_state(len(tokens)))[0]

    @classmethod
    def example(cls, rows: int = 1) -> tuple[Tokens, Tokens]:
        size = rows, cls.example_sizes["num_steps"]
        tokens, targets = torch.randint(cls.example_sizes["vocab_size"], (2, *size))
        return tokens, targets

    def step(self, batch: tuple[Tokens, Tokens]) -> Step:
        tokens, targets = batch
        logits, state = self.unroll(tokens, self.carried(len(tokens)))
        self.carry(state)
        shape = targets.shape if not self.training else ()  # in training, the sum is enough
        losses = cross_entropy(
            logits.flatten(0, 1),
            targets.flatten(),
            ignore_index=IGNORED,
            reduction="sum" if self.training else "none",
        )
        size = (targets != IGNORED).sum()
        # Of no targets the loss is 0, not 0 / 0.
        loss = losses.sum() / size.clamp(min=1)
        return Step(loss, size, {}, -losses.detach().view(shape))

    def carried(self, rows: int) -> State:
        """The state that a batch of so many rows begins with.

        Where there are fewer rows than before the first go on; where there are more, the further
        ones begin.
        """
        state = self._carried.get(self.training) if self.carry_state else None
        if state is None:
            return self.initial_state(rows)
        known = state[0].shape[1]
        if known < rows:
            fresh = self.initial_state(rows - known)
            return tuple(torch.cat(pair, 1) for pair in zip(state, fresh, strict=True))
        return state if known == rows else tuple(part[:, :rows] for part in state)

    def carry(self, state: State) -> None:
        """Keeps the state for the next batch, without its gradient."""
        if self.carry_state:
            self._carried[self.training] = tuple(part.detach() for part in state)

    def derived(self, means: dict[str, Tensor]) -> dict[str, Tensor]:
        return {**means, "perplexity": means["loss"].exp()}

    def pictures(self, folder: Path) -> list[Callback]:
        return [TextSamples(folder), TextPictures(folder)]

    def on_train_start(self) -> None:
        """Takes this process's state from the checkpoint.

        Raises:
            InputError: It was written by more or fewer processes.
        """
        super().on_train_start()
        saved, self._saved = self._saved, []
        if saved and len(saved) != self.trainer.world_size:
            raise InputError(
                f"the checkpoint has the states of {len(saved)} processes and the run has "
                f"{self.trainer.world_size}: resume with as many"
            )
        if saved:
            own = saved[self.global_rank]
            self._carried[True] = tuple(part.to(self.device) for part in own)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        super().on_train_batch_start(batch, batch_idx)
        if batch_idx == 0:
            self._carried.pop(True, None)

    def on_validation_batch_start(
        self, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        if batch_idx == 0:
            self._carried.pop(False, None)

    on_test_batch_start = on_validation_batch_start

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        own = [part.cpu() for part in self._carried.get(True, ())]
        states = [own]
        if self.trainer.world_size > 1:
            states *= self.trainer.world_size
            torch.distributed.all_gather_object(states, own)
        checkpoint["zoo"]["carried"] = states if own else []

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        self._saved = (checkpoint.get("zoo") or {}).get("carried", [])
