"""What a translator writes as it learns: the same sentences each time, and where it looked."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import WandbLogger
from matplotlib.figure import Figure
from torch import Tensor

from zoo.training.pictures import keep
from zoo.translation.bleu import sentence_bleu

SHOWN = 6  # sentences whose attention is drawn


class Translations(Callback):
    """Writes `translations.txt` and `validation_attention.png`.

    The sentences are the corpus's `examples`, translated greedily; beside each the BLEU of one
    sentence, the best over the translations that the corpus gives. Does nothing where the corpus
    has no examples.

    Args:
        folder: Where the files go.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.is_global_zero and not trainer.sanity_checking:
            self._write(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        corpus: Any = getattr(trainer, "datamodule", None)
        if not trainer.is_global_zero:
            return
        if not any(trainer.num_val_batches):  # nothing was held out
            self._write(trainer, pl_module)
        examples = getattr(corpus, "examples", ())[:SHOWN]
        if not (examples and hasattr(pl_module, "attention")):
            return
        maps = []
        for sentence, found in zip(examples, translated(pl_module, corpus, examples), strict=True):
            weights, source = attention_of(pl_module, corpus, sentence, found)
            written = [*corpus.target_vocab.tokens(found), "<eos>"]
            maps.append((weights, source, written))
        keep(trainer, self.folder, "validation", {"attention": draw_attention(maps)})

    def _write(self, trainer: Trainer, model: LightningModule) -> None:
        corpus: Any = getattr(trainer, "datamodule", None)
        examples = getattr(corpus, "examples", ())
        if not examples:
            return
        rows = []
        for sentence, found in zip(examples, translated(model, corpus, examples), strict=True):
            text, known = corpus.target_text(found), corpus.translations(sentence)
            best = max((sentence_bleu(text, reference) for reference in known), default=0.0)
            rows.append([sentence, text, f"{best:.3f}"])
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "translations.txt").open("a", encoding="utf-8") as file:
            file.write(f"epoch {trainer.current_epoch}, step {trainer.global_step}\n")
            file.writelines(f"  {a} => {b}  (BLEU {score})\n" for a, b, score in rows)
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                columns = ["source", "translation", "bleu"]
                logger.log_text("val/translations", columns=columns, data=rows)


def translated(model: Any, corpus: Any, sentences: tuple[str, ...]) -> list[list[int]]:
    """The greedy translations of sentences."""
    rows = [torch.tensor(corpus.source_tokens(sentence)) for sentence in sentences]
    source = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    lengths = torch.tensor([len(row) for row in rows])
    best = model.decode(source.to(model.device), lengths.to(model.device), beam_size=1)
    return [hypotheses[0].tokens for hypotheses in best]


def attention_of(
    model: Any, corpus: Any, sentence: str, found: list[int]
) -> tuple[Tensor, list[str]]:
    """Weights (heads, steps, source_steps) when a translation was written, and source tokens."""
    tokens = corpus.source_tokens(sentence)
    source = torch.tensor([tokens], device=model.device)
    lengths = torch.tensor([len(tokens)], device=model.device)
    read = torch.tensor([[model.bos_index, *found]], device=model.device)
    training = model.training
    model.eval()
    weights = model.attention(source, lengths, read)[0]
    model.train(training)
    return weights.cpu(), corpus.source_vocab.tokens(tokens)


def draw_attention(maps: list[tuple[Tensor, list[str], list[str]]]) -> Figure:
    """For each translation a map: a row a token written, a column a token of the source.

    Args:
        maps: Weights (heads, steps, source_steps), of which the mean over heads is drawn, and the
            tokens of the columns and of the rows.
    """
    columns = min(3, len(maps))
    rows = -(-len(maps) // columns)
    figure = Figure(figsize=(3.4 * columns, 3.0 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes[len(maps) :]:
        axis.set_axis_off()
    for axis, (weights, source, written) in zip(axes, maps, strict=False):
        axis.imshow(weights.mean(0), cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axis.set_xticks(range(len(source)), source, rotation=45, ha="right", parse_math=False)
        axis.set_yticks(range(len(written)), written, parse_math=False)
        axis.tick_params(labelsize=8)
    return figure
