"""LSTM: a memory that is written, erased and read through gates, as a language model.

Paper:  Hochreiter and Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735, Figure 1; the
        forget gate: Gers, Schmidhuber and Cummins 2000, https://doi.org/10.1162/089976600300015015
Shapes: (batch, 35) -> (batch, 35, 28)
Size:   300,060 parameters
Config: lstm-penn_treebank, lstm-time_machine, lstm_held_out-time_machine, lstm_six-time_machine
Result: lstm-penn_treebank: test perplexity 99.3 after 12 epochs (real corpus, seed 0, 2026-11-25:
        `zoo fit lstm-penn_treebank`, `zoo test`)
Result: lstm-time_machine: training perplexity 1.0060 after 160 epochs (real corpus, its first
        10,000 characters, 11,111 of 173,428 characters, seed 0, 2026-11-28: `zoo fit
        lstm-time_machine`)
Result: lstm_held_out-time_machine: perplexity of unseen characters 6.4557 after 50 epochs (real
        corpus, characters 10,022 to 15,032, 15,032 of 173,428 characters, seed 0, 2026-11-28: `zoo
        fit lstm_held_out-time_machine`)
Result: lstm_six-time_machine: training perplexity 1.0038 after 160 epochs (real corpus, its first
        10,000 characters, 11,111 of 173,428 characters, seed 0, 2026-11-30: `zoo fit
        lstm_six-time_machine`)
"""

from typing import Any

from torch import nn

from zoo.language_modeling.recurrent import RecurrentLanguageModel
from zoo.language_modeling.task import TIME_MACHINE
from zoo.layers import recurrent as equations


class LSTM(RecurrentLanguageModel):
    """c <- f * c + i * g and h <- o * tanh(c), and logits from h.

    Args:
        vocab_size: Number of tokens.
        recurrent: Arguments of every recurrent language model.
    """

    example_sizes = TIME_MACHINE
    num_states = 2

    def __init__(self, vocab_size: int, **recurrent: Any) -> None:
        super().__init__(vocab_size, **recurrent)
        self.save_hyperparameters()

    def recurrence(self, input_size: int, hidden_size: int, **options: Any) -> nn.Module:
        if self.kernel == "equation":
            return equations.LSTM(input_size, hidden_size, **options)
        return nn.LSTM(input_size, hidden_size, batch_first=True, **options)
