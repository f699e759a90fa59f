"""TextClassifier: cross-entropy and accuracy of a class for each text.

Batch: (tokens, lengths, labels)
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from zoo.errors import InputError
from zoo.shapes import Labels, Lengths, Logits, Tokens, WordVectors
from zoo.task import Step, Task
from zoo.text_classification.corpus import WithVectors
from zoo.text_classification.pictures import ClassifiedTexts
from zoo.training.corpus import corpus_of

IMDB = {"vocab_size": 10_000, "num_classes": 2, "num_steps": 300}


class TextClassifier(Task):
    """Base of the text classifiers: `forward` maps tokens and lengths to one logit a class.

    What is padding, by the lengths, changes nothing. Where the corpus has word vectors
    (`embedding_weights`), a model that begins to learn begins with them.
    """

    monitor = "val/accuracy"
    monitor_mode = "max"
    metric_names = ("accuracy",)
    judges = "classes"
    reads_values = True
    has_begun = False  # whether its weights are of a training, or of a checkpoint

    def setup(self, stage: str) -> None:
        """Takes the corpus's word vectors over, once and before any weights of a training."""
        if stage == "fit" and not self.has_begun:
            corpus = corpus_of(self.trainer, WithVectors)
            if corpus and (vectors := corpus.embedding_weights) is not None:
                self.take_vectors(vectors)
            self.has_begun = True

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **options: Any) -> Any:
        self.has_begun = True
        return super().load_state_dict(state_dict, *args, **options)

    def embeddings(self) -> list[Tensor]:
        """The tables of word vectors, (vocab, embed) each."""
        return [part.weight for part in self.modules() if isinstance(part, nn.Embedding)]

    @torch.no_grad()
    def take_vectors(self, vectors: WordVectors) -> None:
        """Copies word vectors into every embedding.

        Raises:
            InputError: They have another number of values.
        """
        for table in self.embeddings():
            if table.shape != vectors.shape:
                raise InputError(
                    f"the word vectors are {_size(vectors)} and the embedding is {_size(table)}: "
                    f"--model.embed_dim {vectors.shape[1]}"
                )
            table.copy_(vectors)

    @classmethod
    def example(cls, rows: int = 1) -> tuple[Tokens, Lengths, Labels]:
        vocab_size, classes, steps = (cls.example_sizes[name] for name in IMDB)
        tokens = torch.randint(vocab_size, (rows, steps))
        return tokens, torch.full((rows,), steps), torch.randint(classes, (rows,))

    def step(self, batch: tuple[Tokens, Lengths, Labels]) -> Step:
        tokens, lengths, labels = batch
        logits: Logits = self(tokens, lengths)
        predictions = logits.argmax(dim=1)
        return Step(
            loss=cross_entropy(logits, labels),
            size=len(labels),
            sums={"accuracy": (predictions == labels).sum()},
            predictions=predictions,
            judged=(logits, labels),
        )

    def pictures(self, folder: Path) -> list[Callback]:
        return [ClassifiedTexts(folder)]

    def predict_step(self, batch: tuple[Tokens, Lengths, Any], batch_idx: int) -> Logits:
        """Class probabilities, one row a text."""
        return self(batch[0], batch[1]).softmax(dim=1)


def word_embedding(vocab_size: int, embed_dim: int) -> nn.Embedding:
    """An embedding whose values begin small: torch's begin at 1, which drowns what is learnt."""
    table = nn.Embedding(vocab_size, embed_dim)
    nn.init.normal_(table.weight, std=0.1)
    return table


def _size(table: Tensor) -> str:
    return f"{len(table):,} x {table.shape[1]}"
