"""GRU: two gates say how much of the memory is looked at, and how much stays.

Paper:  Cho et al. 2014, https://arxiv.org/abs/1406.1078, Figure 2, Equations 5 to 8
Shapes: (batch, 35) -> (batch, 35, 28)
Size:   226,844 parameters
Config: gru-time_machine, gru_deep_held_out-time_machine, gru_held_out-time_machine
Result: gru-time_machine: training perplexity 1.0097 after 160 epochs (real corpus, its first 10,000
        characters, 11,111 of 173,428 characters, seed 0, 2026-11-28: `zoo fit gru-time_machine`)
Result: gru_deep_held_out-time_machine: perplexity of unseen characters 6.0966 after 30 epochs (real
        corpus, characters 10,022 to 15,032, 15,032 of 173,428 characters, seed 0, 2026-11-28: `zoo
        fit gru_deep_held_out-time_machine`)
Result: gru_held_out-time_machine: perplexity of unseen characters 6.3890 after 50 epochs (real
        corpus, characters 10,022 to 15,032, 15,032 of 173,428 characters, seed 0, 2026-11-28: `zoo
        fit gru_held_out-time_machine`)
"""

from typing import Any, Literal

from torch import nn

from zoo.errors import InputError
from zoo.language_modeling.recurrent import RecurrentLanguageModel
from zoo.language_modeling.task import TIME_MACHINE
from zoo.layers import recurrent as equations


class GRU(RecurrentLanguageModel):
    """h <- (1 - z) * n + z * h, and logits from h.

    Args:
        vocab_size: Number of tokens.
        reset: Where the reset gate acts: after the product with the state, as in torch's kernel,
            or before it, as in the paper; see `zoo.layers.recurrent.GRU`.
        recurrent: Arguments of every recurrent language model.

    Raises:
        InputError: The reset is to be where torch's kernel has none.
    """

    example_sizes = TIME_MACHINE

    def __init__(
        self, vocab_size: int, reset: Literal["after", "before"] = "after", **recurrent: Any
    ) -> None:
        self.reset = reset  # the layers are built below
        super().__init__(vocab_size, **recurrent)
        self.save_hyperparameters()

    def recurrence(self, input_size: int, hidden_size: int, **options: Any) -> nn.Module:
        if self.kernel == "equation":
            return equations.GRU(input_size, hidden_size, reset=self.reset, **options)
        if self.reset == "before":
            raise InputError(
                "torch's kernel resets after the product: add --model.kernel equation to reset "
                "before it"
            )
        return nn.GRU(input_size, hidden_size, batch_first=True, **options)
