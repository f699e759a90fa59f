"""CBOW: the mean of the vectors around a word tells the word.

Paper:  Mikolov, Chen, Corrado and Dean 2013, https://arxiv.org/abs/1301.3781, Figure 1, left
Shapes: (batch) of 9,858 tokens, (batch, 10) -> (batch, 100)
Size:   1,971,600 parameters
Config: cbow-penn_treebank_windows
Result: cbow-penn_treebank_windows: held-out loss 0.3561, WordSim-353 0.3389 after 10 epochs (real
        corpus, seed 0, 2026-11-28: `zoo fit cbow-penn_treebank_windows`)
"""

from typing import Any

from zoo.word_embedding.bags import Bags, contexts_of, singles
from zoo.word_embedding.predictive import Batch, PredictiveEmbedding
from zoo.word_embedding.task import PENN_TREEBANK


class CBOW(PredictiveEmbedding):
    """An example is what is around a word, a bag without order, from which it is to be told.

    Args:
        vocab_size: Number of words.
        predictive: Arguments of every predictive embedding.
    """

    example_sizes = PENN_TREEBANK

    def __init__(self, vocab_size: int, **predictive: Any) -> None:
        super().__init__(vocab_size, **predictive)
        self.save_hyperparameters()

    def inputs(self, batch: Batch) -> Bags:
        return contexts_of(batch[1])

    def targets(self, batch: Batch) -> Bags:
        return singles(batch[0])
