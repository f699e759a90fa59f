"""What skip-gram, CBOW and fastText share: vectors of examples, from which words are told.

Source: Mikolov, Chen, Corrado and Dean 2013, https://arxiv.org/abs/1301.3781, Section 3; Mikolov,
        Sutskever, Chen, Corrado and Dean 2013, https://arxiv.org/abs/1310.4546, Section 2
Batch: (centers, contexts), or (centers, contexts, negatives)
"""

from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from zoo.errors import InputError, in_bounds
from zoo.optimizers.row_sgd import RowSGD
from zoo.shapes import IGNORED, Contexts, Negatives, Vectors, Words, WordVectors
from zoo.task import Step
from zoo.training.finite import check_loss
from zoo.training.manual_optimization import refuse_options, step_schedules, without_plateau
from zoo.training.ranks import FixedDraws
from zoo.training.running_means import at_least_one
from zoo.word_embedding.bags import Bags
from zoo.word_embedding.objectives import (
    Choices,
    HierarchicalSoftmax,
    NegativeSampling,
    Scores,
    among,
    descend,
    loss_of,
    loss_of_logits,
)
from zoo.word_embedding.task import PENN_TREEBANK, WordEmbedding

Batch = tuple[Words, Contexts] | tuple[Words, Contexts, Negatives]


class PredictiveEmbedding(WordEmbedding):
    """Base of the embeddings that tell words from windows; two tables, of inputs and of outputs.

    An architecture says what an example is made of (`inputs`) and what is to be told from it
    (`targets`). The loss is the mean cross-entropy of a choice: of a pair and its negatives, as the
    course counts it, or of a turn on the way down the tree. In evaluation each pair has negatives
    of its own, always the same ones.

    With `zoo.optimizers.row_sgd.RowSGD` rows are updated in place, in mini-batches of
    `mini_batch_size` examples, of which there may be many in a batch: faster, the same steps as
    torch's SGD down the sum of the cross-entropies.

    Args:
        vocab_size: Number of words.
        embed_dim: Values of a vector.
        objective: negative_sampling or hierarchical_softmax.
        num_negatives: Number of negatives for each pair, unless the corpus draws them.
        shared_negatives: Number of negatives that all pairs of a mini-batch share in training; 0
            gives each pair its own.
        mini_batch_size: Number of examples in a step of RowSGD; by default the batch.
        embedding: Arguments of every word embedding.

    Raises:
        InputError: The arguments contradict one another, or the trainer's do.
    """

    input: nn.Embedding

    def __init__(
        self,
        vocab_size: int,
        embed_dim: int = 100,
        objective: Literal["negative_sampling", "hierarchical_softmax"] = "negative_sampling",
        num_negatives: int = 5,
        shared_negatives: int = 0,
        mini_batch_size: int | None = None,
        **embedding: Any,
    ) -> None:
        super().__init__(vocab_size, **embedding)
        in_bounds(1, embed_dim=embed_dim, num_negatives=num_negatives)
        in_bounds(1, mini_batch_size=mini_batch_size)
        in_bounds(0, shared_negatives=shared_negatives)
        if objective == "hierarchical_softmax" and shared_negatives:
            raise InputError("a tree has no negatives to share: --model.shared_negatives 0")
        self.embed_dim, self.mini_batch_size = embed_dim, mini_batch_size
        self.objective = objective
        self.num_negatives, self.shared_negatives = num_negatives, shared_negatives
        self.input = self.input_table(vocab_size)
        self.output = nn.Embedding(vocab_size, embed_dim)
        nn.init.zeros_(self.output.weight)
        self._chooser: NegativeSampling | HierarchicalSoftmax | None = None
        self._draws = FixedDraws()

    def input_table(self, num_rows: int) -> nn.Embedding:
        """Returns a table of inputs, initialised as in word2vec."""
        table = nn.Embedding(num_rows, self.embed_dim)
        nn.init.uniform_(table.weight, -0.5 / self.embed_dim, 0.5 / self.embed_dim)
        return table

    def inputs(self, batch: Batch) -> Bags:
        """Returns, for each example, the rows of the input table whose mean is its vector."""
        raise TypeError(f"{type(self).__name__} does not say what it reads")

    def targets(self, batch: Batch) -> Bags:
        """Returns the words to be predicted from each example."""
        raise TypeError(f"{type(self).__name__} does not say what it tells")

    def table(self) -> WordVectors:
        return self.input.weight

    def forward(self, centers: Words, contexts: Contexts) -> Vectors:
        """The vectors of the examples, from which words are told."""
        return self.inputs((centers, contexts)).means(self.input.weight)

    @classmethod
    def example(cls, rows: int = 1) -> tuple[Words, Contexts]:
        vocab_size, window = (cls.example_sizes[name] for name in PENN_TREEBANK)
        return torch.randint(vocab_size, (rows,)), torch.randint(vocab_size, (rows, window))

    def step(self, batch: Batch) -> Step:
        vectors, choices = self(*batch[:2]), self.choose(batch)
        loss = loss_of(vectors, self.output.weight, choices)
        return Step(loss / at_least_one(choices.size), choices.size, {}, batch[0][:0])

    def choose(self, batch: Batch, mini_batches: int = 1) -> Choices:
        """What is to be told of each pair: in evaluation by a generator of its own."""
        pairs = self.targets(batch)
        if len(batch) == 2:
            if self.training or isinstance(self.chooser, HierarchicalSoftmax):
                return self.chooser.choices(pairs, mini_batches)
            return among(pairs, self._draws.rows(pairs.counts.tolist(), self.chooser.draw))
        negatives = batch[2][batch[1] != IGNORED]
        wrong = self.objective != "negative_sampling" or self.shared_negatives
        if wrong or len(negatives) != len(pairs.rows):
            raise InputError(
                "the corpus brings negatives, which are for negative sampling of contexts, with "
                "none shared: --data.negatives 0"
            )
        return among(pairs, negatives, mini_batches)

    @property
    def chooser(self) -> NegativeSampling | HierarchicalSoftmax:
        """Draws negatives, or knows the tree; made when it is first asked for."""
        device = self.word_counts.device
        if self._chooser is None or self._chooser.device != device:
            if not self.word_counts.any():
                raise InputError(
                    f"{type(self).__name__} was not told how often each word is there: fill "
                    "word_counts"
                )
            self._chooser = (
                HierarchicalSoftmax(self.word_counts)
                if self.objective == "hierarchical_softmax"
                else NegativeSampling(self.word_counts, self.num_negatives, self.shared_negatives)
            )
        return self._chooser

    def setup(self, stage: str) -> None:
        super().setup(stage)
        self._chooser = None

    def on_validation_epoch_start(self) -> None:
        super().on_validation_epoch_start()
        self._draws.restart(self.device)

    on_test_epoch_start = on_validation_epoch_start

    def measure(self, batch: Batch) -> dict[str, Any] | None:
        with self._draws.shared(self.trainer.world_size):
            if not len(batch[0]):
                self.choose(batch)  # for the other ranks
            return super().measure(batch)

    # Rows in place

    def configure_optimizers(self) -> Any:
        configured = super().configure_optimizers()
        optimizer = configured["optimizer"] if isinstance(configured, dict) else configured
        self.automatic_optimization = not isinstance(optimizer, RowSGD)
        if self.automatic_optimization:
            if self.mini_batch_size:
                raise InputError("--model.mini_batch_size is for RowSGD: take --data.batch_size")
            return configured
        trainer = self.trainer
        refuse_options(
            "RowSGD",
            {
                "clips nothing: leave out --trainer.gradient_clip_val": trainer.gradient_clip_val,
                "accumulates none: take --data.batch_size": trainer.accumulate_grad_batches > 1,
                "scales no loss: --trainer.precision bf16-mixed or 32-true": trainer.scaler,
            },
            otherwise=", or another --model.optimizer",
        )
        return without_plateau(configured)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        if self.automatic_optimization:
            return super().training_step(batch, batch_idx)
        optimizer: Any = self.optimizers()
        loss = optimizer.step(closure=partial(self._descend, batch))
        step_schedules(self, "step")
        return loss

    def on_train_epoch_end(self) -> None:
        super().on_train_epoch_end()
        if not self.automatic_optimization:
            step_schedules(self, "epoch")

    def _descend(self, batch: Batch) -> Tensor:
        """Steps down mini-batch by mini-batch; the mean loss of a choice, each before its step."""
        optimizer: Any = self.trainer.optimizers[0]
        step = self.mini_batch_size or len(batch[0])
        with torch.autocast(self.device.type, enabled=False):
            choices = self.choose(batch, -(-len(batch[0]) // step))
            scores = []
            for inputs, part in zip(
                self.inputs(batch).split(step), choices.split(step), strict=True
            ):
                vectors = inputs.means(self.input.weight)
                logits, gradient = descend(vectors, self.output.weight, part, optimizer)
                if not inputs.single:
                    gradient = (gradient / inputs.counts[:, None])[inputs.example]
                optimizer.descend(self.input.weight, inputs.rows, gradient)
                scores.append(logits)
            every = Scores(*(torch.cat(parts) for parts in zip(*scores, strict=True)))
            loss = loss_of_logits(every, choices) / choices.size
        check_loss(self, loss, optimizer)
        self._window.update(loss, {}, choices.size)
        return loss
