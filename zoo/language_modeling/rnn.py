"""RNN: the simplest network with a memory, as a language model.

Paper:  Elman 1990, https://doi.org/10.1207/s15516709cog1402_1, Figure 2; as a language model:
        Mikolov et al. 2010, https://doi.org/10.21437/Interspeech.2010-343, Figure 1
Shapes: (batch, 35) -> (batch, 35, 28)
Size:   80,412 parameters
Config: rnn-time_machine, rnn_held_out-time_machine
Result: rnn-time_machine: training perplexity 1.0104 after 250 epochs (real corpus, its first 10,000
        characters, 11,111 of 173,428 characters, seed 0, 2026-11-28: `zoo fit rnn-time_machine`)
Result: rnn_held_out-time_machine: perplexity of unseen characters 7.0202 after 100 epochs (real
        corpus, characters 10,022 to 15,032, 15,032 of 173,428 characters, seed 0, 2026-11-28: `zoo
        fit rnn_held_out-time_machine`)
"""

from typing import Any

from torch import nn

from zoo.language_modeling.recurrent import RecurrentLanguageModel
from zoo.language_modeling.task import TIME_MACHINE
from zoo.layers import recurrent as equations


class RNN(RecurrentLanguageModel):
    """h <- tanh(W_i x + b_i + W_h h + b_h), and logits from h.

    Args:
        vocab_size: Number of tokens.
        recurrent: Arguments of every recurrent language model.
    """

    example_sizes = TIME_MACHINE

    def __init__(self, vocab_size: int, **recurrent: Any) -> None:
        super().__init__(vocab_size, **recurrent)
        self.save_hyperparameters()

    def recurrence(self, input_size: int, hidden_size: int, **options: Any) -> nn.Module:
        if self.kernel == "equation":
            return equations.RNN(input_size, hidden_size, **options)
        return nn.RNN(input_size, hidden_size, batch_first=True, **options)
