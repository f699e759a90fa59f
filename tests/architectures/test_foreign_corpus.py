"""A LightningDataModule of another origin: what it lacks is left out, and is never an error."""

import pytest
import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader

from tests.architectures.conftest import narrow
from tests.conftest import quiet_trainer
from zoo.catalogue import architectures

ONE_OF_EACH_FAMILY = (
    *("LeNet", "RNN", "TinySSD", "GAN", "LinearRegression", "BidirectionalTagger", "FastStyle"),
    *("BagOfEmbeddings", "AttentionSeq2Seq", "FastText", "GloVe", "Surface"),
)


class Foreign(LightningDataModule):
    """Gives batches, and knows nothing of them."""

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def loader(self):
        return DataLoader(self.batches, batch_size=None, collate_fn=tuple)

    train_dataloader = val_dataloader = test_dataloader = loader


def test_every_family_is_here():
    families = {architectures()[name].family for name in ONE_OF_EACH_FAMILY}
    assert families == {definition.family for definition in architectures().values()}


@pytest.mark.drawn
@pytest.mark.parametrize("name", ONE_OF_EACH_FAMILY)
def test_what_a_foreign_corpus_lacks_is_left_out(name, tmp_path):
    torch.manual_seed(0)
    model = narrow(architectures()[name])
    foreign = Foreign([type(model).example(2)])
    trainer = quiet_trainer(max_epochs=1, callbacks=model.pictures(tmp_path))
    trainer.fit(model, foreign)
    measured = {*trainer.callback_metrics, *trainer.test(model, foreign, verbose=False)[0]}
    assert {"train/loss_epoch", "val/loss", "test/loss"} <= measured
    assert not {"val/bleu", "test/bleu"} & measured
    written = {path.name.partition("_")[2] for path in tmp_path.rglob("*.png")}
    lacking = {"predictions.png", "confusion.png", "detections.png", "words.png", "attention.png"}
    assert name == "LinearRegression" or not lacking & written
