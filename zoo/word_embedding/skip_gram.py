"""SkipGram: the vector of a word tells the words around it.

Paper:  Mikolov, Chen, Corrado and Dean 2013, https://arxiv.org/abs/1301.3781, Figure 1, right;
        negative sampling: Mikolov, Sutskever, Chen, Corrado and Dean 2013,
        https://arxiv.org/abs/1310.4546, equation 4
Shapes: (batch) of 9,858 tokens, (batch, 10) -> (batch, 100)
Size:   1,971,600 parameters
Config: skip_gram-penn_treebank_windows, skip_gram_adam-penn_treebank_windows
Result: skip_gram-penn_treebank_windows: held-out loss 0.4063, WordSim-353 0.2981 after 10 epochs
        (real corpus, seed 0, 2026-11-28: `zoo fit skip_gram-penn_treebank_windows`)
Result: skip_gram_adam-penn_treebank_windows: training loss 0.2976 after 10 epochs (real corpus,
        seed 0, 2026-11-30: `zoo fit skip_gram_adam-penn_treebank_windows`)
"""

from typing import Any

from zoo.word_embedding.bags import Bags, contexts_of, singles
from zoo.word_embedding.predictive import Batch, PredictiveEmbedding
from zoo.word_embedding.task import PENN_TREEBANK


class SkipGram(PredictiveEmbedding):
    """An example is a word; each of its contexts is to be told from it.

    Args:
        vocab_size: Number of words.
        predictive: Arguments of every predictive embedding.
    """

    example_sizes = PENN_TREEBANK

    def __init__(self, vocab_size: int, **predictive: Any) -> None:
        super().__init__(vocab_size, **predictive)
        self.save_hyperparameters()

    def inputs(self, batch: Batch) -> Bags:
        return singles(batch[0])

    def targets(self, batch: Batch) -> Bags:
        return contexts_of(batch[1])
