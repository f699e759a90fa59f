"""What a translator writes as it learns: the same sentences each time, and where it looked."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from lightning.pytorch import LightningModule, Trainer
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from zoo.training.corpus import corpus_of
from zoo.training.pictures import FolderCallback, keep, wandb_loggers
from zoo.translation.bleu import sentence_bleu
from zoo.translation.corpus import Examples

SHOWN = 6  # sentences whose attention is drawn


class Map(NamedTuple):
    """Where a translation looked.

    Attributes:
        weights: (steps, source_steps), the mean over heads.
        source: Tokens that were read.
        written: Tokens of the translation.
    """

    weights: Tensor
    source: list[str]
    written: list[str]


class Translations(FolderCallback):
    """Writes `translations.txt` and `validation_attention.png` at each validation.

    The sentences are the corpus's `examples`, translated greedily; beside each the BLEU of one
    sentence, the best over the translations that the corpus gives. Where nothing is held out it
    writes after the last epoch; where the corpus has no examples, nothing.
    """

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.is_global_zero and not trainer.sanity_checking:
            self._write(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.is_global_zero and not any(trainer.num_val_batches):  # nothing was held out
            self._write(trainer, pl_module)

    def _write(self, trainer: Trainer, model: LightningModule) -> None:
        corpus = corpus_of(trainer, Examples)
        if corpus is None or not (examples := corpus.examples):
            return
        rows = []
        for sentence, found in zip(examples, translated(model, corpus, examples), strict=True):
            text, known = corpus.target_text(found), corpus.translations(sentence)
            best = max((sentence_bleu(text, reference) for reference in known), default=0.0)
            rows.append([sentence, text, f"{best:.3f}"])
        with self.writing():
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / "translations.txt").open("a", encoding="utf-8") as file:
                file.write(f"epoch {trainer.current_epoch}, step {trainer.global_step}\n")
                file.writelines(f"  {a} => {b}  (BLEU {score})\n" for a, b, score in rows)
        for logger in wandb_loggers(trainer):
            columns = ["source", "translation", "bleu"]
            logger.log_text("val/translations", columns=columns, data=rows)
        if hasattr(model, "attention"):
            maps = attention_maps(model, corpus, examples[:SHOWN])
            with self.writing():
                keep(trainer, self.folder, "validation", {"attention": draw_attention(maps)})


def translated(model: Any, corpus: Examples, sentences: Sequence[str]) -> list[list[int]]:
    """The greedy translations of sentences."""
    rows = [torch.tensor(corpus.source_tokens(sentence)) for sentence in sentences]
    source = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    lengths = torch.tensor([len(row) for row in rows])
    best = model.decode(source.to(model.device), lengths.to(model.device), beam_size=1)
    return [hypotheses[0].tokens for hypotheses in best]


def attention_maps(model: Any, corpus: Examples, sentences: Sequence[str]) -> list[Map]:
    """Where the model looked as it translated sentences greedily."""
    training = model.training
    found = translated(model, corpus, sentences)
    model.eval()
    maps = []
    for sentence, written in zip(sentences, found, strict=True):
        read = corpus.source_tokens(sentence)
        source, tokens = (
            torch.tensor([row], device=model.device) for row in (read, [model.bos_index, *written])
        )
        lengths = torch.tensor([len(read)], device=model.device)
        weights = model.attention(source, lengths, tokens)[0].mean(0).cpu()
        texts = corpus.source_vocab.tokens(read), [*corpus.target_vocab.tokens(written), "<eos>"]
        maps.append(Map(weights, *texts))
    model.train(training)
    return maps


def draw_attention(maps: list[Map]) -> Figure:
    """A panel for each translation."""
    columns = min(3, len(maps))
    rows = -(-len(maps) // columns)
    figure = Figure(figsize=(3.4 * columns, 3.0 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes[len(maps) :]:
        axis.set_axis_off()
    for axis, one in zip(axes, maps, strict=False):
        draw_map(axis, one)
    return figure


def draw_map(axis: Axes, one: Map) -> None:
    """A row a token that was written, a column a token of the source."""
    axis.imshow(one.weights, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axis.set_xticks(range(len(one.source)), one.source, rotation=45, ha="right", parse_math=False)
    axis.set_yticks(range(len(one.written)), one.written, parse_math=False)
    axis.tick_params(labelsize=8)
