"""Translator: cross-entropy of each target token, BLEU of what is decoded.

Batch: (source, source_lengths, target, target_lengths, references)
"""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback
from torch import Tensor
from torch.nn.functional import cross_entropy
from torchmetrics.text import SacreBLEUScore

from zoo.errors import in_bounds
from zoo.layers.attention import within
from zoo.shapes import IGNORED, Lengths, SourceTokens, State, TokenLogits, Tokens
from zoo.task import Step, Task
from zoo.training.corpus import corpus_of
from zoo.translation.corpus import TargetTexts
from zoo.translation.decoding import Hypothesis, decode
from zoo.translation.pictures import Translations

FRA_ENG = {
    "source_vocab_size": 389,
    "target_vocab_size": 811,
    "num_steps": 10,
    "bos_index": 1,
    "eos_index": 2,
}


class Translator(Task):
    """Base of the translators: an encoder (`encode`), a decoder (`initial_state`, `unroll`).

    What a sentence was read into, and the state of what is written, are tensors (batch, ...):
    decoding picks their rows. A sentence ends with <eos>; a translation begins after <bos>. What
    is padding, by the lengths, changes nothing and counts for nothing.

    Logs the mean cross-entropy of a token, <eos> included, and its exponential; in training with
    label smoothing, elsewhere without. Where the corpus can tell tokens' text (`target_text`) it
    logs BLEU too, of all sentences, in percent: SacreBLEU's with tokenizer 13a and in lower case,
    after greedy decoding in validation and beam search in testing. There are no predictions.

    Args:
        bos_index: Token that a translation begins after; the corpus says which.
        eos_index: Token that ends a sentence; the corpus says which.
        unk_index: Token of unknown words, which is never written; the corpus says which.
        label_smoothing: Share of each target that goes to all tokens alike, in training.
        beam_size: Translations that are followed at a time, in testing and predicting.
        length_penalty: Power of its length by which a translation's log-probability is divided.
        task: Arguments of every task.
    """

    monitor = "val/loss"
    reads_values = True
    signatures: Mapping[str, str] = {
        "bleu": "nrefs:1|case:lc|eff:no|tok:13a|smooth:none|version:torchmetrics-"
        + version("torchmetrics")
    }

    def __init__(
        self,
        bos_index: int,
        eos_index: int,
        unk_index: int | None = None,
        label_smoothing: float = 0.0,
        beam_size: int = 4,
        length_penalty: float = 0.75,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        in_bounds(1, beam_size=beam_size)
        in_bounds(0, length_penalty=length_penalty)
        in_bounds(0, 1, label_smoothing=label_smoothing)
        self.bos_index, self.eos_index, self.unk_index = bos_index, eos_index, unk_index
        self.label_smoothing = label_smoothing
        self.beam_size, self.length_penalty = beam_size, length_penalty
        self.bleu = SacreBLEUScore(tokenize="13a", lowercase=True)

    def encode(self, source: SourceTokens, lengths: Lengths) -> State:
        """What sentences are read into, which writing does not change."""
        raise TypeError(f"{type(self).__name__} does not say how it reads")

    def initial_state(self, memory: State) -> State:
        """Returns the state of translations before their first token."""
        raise TypeError(f"{type(self).__name__} does not say what it begins with")

    def unroll(self, tokens: Tokens, state: State, memory: State) -> tuple[TokenLogits, State]:
        """Returns the logits of the token after each of these, and the state after the last.

        The state that was given is used up: the new one may be written into it.
        """
        raise TypeError(f"{type(self).__name__} does not say how it writes")

    def forward(self, source: SourceTokens, source_lengths: Lengths, tokens: Tokens) -> TokenLogits:
        """Logits of the token after each of a translation's, which begins with <bos>."""
        memory = self.encode(source, source_lengths)
        return self.unroll(tokens, self.initial_state(memory), memory)[0]

    @classmethod
    def example(cls, rows: int = 1) -> tuple[Any, ...]:
        source_size, target_size, steps = (cls.example_sizes[name] for name in [*FRA_ENG][:3])
        lengths = torch.full((rows,), steps)
        source, target = (torch.randint(size, (rows, steps)) for size in (source_size, target_size))
        return source, lengths, target, lengths, ("",) * rows

    def step(self, batch: Any) -> Step:
        source, source_lengths, target, target_lengths, *_ = batch
        tokens, answers = target[:, :-1], target[:, 1:]
        counted = within(target_lengths - 1, answers.shape[1])
        logits = self(source, source_lengths, tokens)
        loss = cross_entropy(
            logits.flatten(0, 1),
            answers.masked_fill(~counted, IGNORED).flatten(),
            ignore_index=IGNORED,
            label_smoothing=self.label_smoothing if self.training else 0.0,
        )
        return Step(loss, counted.sum(), {}, tokens[:, :0])

    def derived(self, means: dict[str, Tensor]) -> dict[str, Tensor]:
        return {**means, "perplexity": means["loss"].exp()}

    def pictures(self, folder: Path) -> list[Callback]:
        return [Translations(folder)]

    def on_validation_epoch_start(self) -> None:
        super().on_validation_epoch_start()
        self.bleu.reset()

    on_test_epoch_start = on_validation_epoch_start

    def measure(self, batch: Any) -> dict[str, Tensor] | None:
        measured = super().measure(batch)
        corpus = corpus_of(self.trainer, TargetTexts)
        if measured is None or corpus is None:
            return measured
        beam_size = self.beam_size if self.trainer.testing else 1
        found = self.decode(batch[0], batch[1], beam_size=beam_size)
        texts = [corpus.target_text(best.tokens) for best, *_ in found]
        self.bleu.update(texts, [[reference] for reference in batch[4]])
        return measured

    def log_means(self, stage: str) -> None:
        super().log_means(stage)
        if corpus_of(self.trainer, TargetTexts):
            self.log(f"{stage}/bleu", 100 * self.bleu.compute(), prog_bar=True)

    def decode(
        self, source: SourceTokens, source_lengths: Lengths, **options: Any
    ) -> list[list[Hypothesis]]:
        """Translations, best first, by this translator's settings where no others are given.

        Args:
            source: (batch, source_steps).
            source_lengths: (batch).
            options: Those of `zoo.translation.decoding.decode`.
        """
        barred = () if self.unk_index is None else (self.unk_index,)
        settings = {"beam_size": self.beam_size, "length_penalty": self.length_penalty}
        return decode(self, source, source_lengths, **{**settings, "barred": barred, **options})
