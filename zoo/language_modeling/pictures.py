"""What a language model writes as it learns, and which tokens surprise it."""

from math import log
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure
from torch import Tensor

from zoo.language_modeling.corpus import Text
from zoo.language_modeling.sampling import sample
from zoo.training.corpus import corpus_of
from zoo.training.pictures import FolderCallback, wandb_loggers
from zoo.training.text_pictures import FirstRows, draw_text

PROMPT, LENGTH = 16, 48  # tokens
UNK = "<unk>"  # as corpora spell what is in no vocabulary


class TextSamples(FolderCallback):
    """Writes `samples.txt`: how the model goes on from the first held-out tokens.

    The most probable token each time but for <unk>, so that only learning changes the text; a bar
    parts it from what was given. Does nothing where the corpus has no vocabulary (`vocab`) or
    tokenizer.
    """

    prompt: Tensor | None = None

    def on_validation_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if batch_idx == 0 and len(batch[0]):
            self.prompt = batch[0][:1, :PROMPT]

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """After the last batch, when the weights are still those that were measured."""
        corpus = corpus_of(trainer, Text)
        last = batch_idx + 1 == trainer.num_val_batches[dataloader_idx]
        wanted = last and trainer.is_global_zero and not trainer.sanity_checking
        if not wanted or self.prompt is None or corpus is None:
            return
        model: Any = pl_module
        barred = [corpus.vocab.index[UNK]] if UNK in corpus.vocab.index else []
        written = sample(model, self.prompt, LENGTH, temperature=0.0, barred=barred)
        gap = "" if corpus.tokenizer == "char" else " "
        begun, rest = (
            gap.join(corpus.vocab.tokens(tokens[0].tolist())) for tokens in (self.prompt, written)
        )
        epoch = trainer.current_epoch
        with self.writing():
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / "samples.txt").open("a", encoding="utf-8") as file:
                file.write(f"epoch {epoch}, step {trainer.global_step}: {begun}|{rest}\n")
        for logger in wandb_loggers(trainer):
            logger.log_text("val/sample", columns=["epoch", "text"], data=[[str(epoch), rest]])


class TextPictures(FirstRows):
    """Writes `<stage>_surprise.png`: a text with how much each token surprised the model.

    Does nothing where the corpus has no vocabulary (`vocab`) or tokenizer.
    """

    def show(
        self, trainer: Trainer, tokens: Tensor, targets: Tensor, predictions: Tensor
    ) -> dict[str, Figure]:
        corpus = corpus_of(trainer, Text)
        if corpus is None:
            return {}
        gap = 0 if corpus.tokenizer == "char" else 1
        texts = corpus.vocab.tokens(targets.tolist())
        surprises = (-predictions / log(len(corpus.vocab))).tolist()  # 1: as if all were alike
        return {"surprise": draw_text(texts, surprises, "the darker, the less expected", gap)}
