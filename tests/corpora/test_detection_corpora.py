"""Corpora with boxes: the batch they agree on, workers, resumes, what is absent, the command."""

from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule
from PIL import Image
from torch import nn

from datamodules import Bananas, COCOFormat, Pikachu
from datamodules.batches.in_memory import Rows
from datamodules.boxes.rows import DetectionBatch
from datamodules.files.download import RemoteFile
from datamodules.files.file_paths import FilePath
from datamodules.pictures.reading import picture_size, read_picture
from datamodules.pictures.to_predict import PictureFiles
from tests.conftest import quiet_trainer, refused
from tests.corpora.conftest import SMALL, prepared
from zoo.cli.main import main

CORPORA = (Pikachu, Bananas, COCOFormat)


def transferred(corpus, batch) -> DetectionBatch:
    return corpus.on_after_batch_transfer(batch, 0)


def by_name(cls) -> str:
    return cls.__name__


# The contract


@pytest.mark.parametrize("cls", CORPORA, ids=by_name)
def test_a_batch_is_as_the_two_sides_agreed(cls):
    made = prepared(cls(synthetic=True, size=32, batch_size=8, augment=["flip", "crop"]))
    for loader in (made.train_dataloader(), made.val_dataloader(), made.test_dataloader()):
        for raw in loader:
            assert raw[0].dtype == torch.uint8
            batch = transferred(made, raw)
            assert isinstance(batch, DetectionBatch)
            images, boxes, labels = batch
            assert images.shape == (len(labels), 3, 32, 32)
            assert (images.dtype, boxes.dtype, labels.dtype) == (
                *(torch.float32, torch.float32),
                torch.int64,
            )
            assert boxes.shape == (*labels.shape, 4)
            assert labels.shape[1] >= 1
            present = labels >= 0
            assert ((labels < made.num_classes) & ((labels == -100) | present)).all()
            assert (boxes[~present] == 0).all()
            assert (present.int().diff(dim=1) <= 0).all(), "what pads comes last"
            there = boxes[present]
            assert ((there >= 0) & (there <= 1)).all()
            assert (there[:, :2] < there[:, 2:]).all()


@pytest.mark.parametrize("cls", CORPORA, ids=by_name)
def test_facts_and_what_a_checkpoint_keeps(cls):
    made = prepared(cls(synthetic=True, **SMALL))
    assert (made.in_channels, made.image_size) == (3, 16)
    assert made.num_classes == len(made.labels)
    assert made.predicts == "PICTURE ..."
    assert made.described == f"{made.title}, synthetic stand-in, 86 train + 10 val + 24 test rows"
    state = made.state_dict()
    assert state["class_path"].endswith(cls.__name__)
    assert "root" not in state["arguments"]
    assert state["labels"] == list(made.labels)
    assert (state["size"], state["crop_size"], state["resize"]) == (16, None, None)
    assert (state["mean"], state["std"]) == (list(made.mean), list(made.std))
    assert len(state["category_ids"]) == made.num_classes
    made.load_state_dict(state)
    message = refused(made.load_state_dict, {**state, "labels": ["dog"]})
    assert "trained on the classes dog" in message


def test_pixels_are_normalised_and_come_back():
    made = prepared(Pikachu(synthetic=True, **SMALL), "test")
    raw = next(iter(made.test_dataloader()))
    images = transferred(made, raw).images
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (made.mean, made.std))
    torch.testing.assert_close(images, (raw[0] / 255 - mean) / std, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(made.denormalise(images) * 255, raw[0].float(), rtol=0, atol=0.01)


def test_the_whole_picture_is_squeezed_into_the_square(tmp_path):
    left = np.zeros((10, 40, 3), dtype=np.uint8)
    left[:, :10] = 255  # the middle square is black
    Image.fromarray(left).save(tmp_path / "a.png")
    arguments = {"labels": ["a"], "mean": [0.0] * 3, "std": [1.0] * 3, "size": 8}
    for whole, wanted in ((False, 0), (True, 255)):
        files = PictureFiles([str(tmp_path / "a.png")], whole=whole, **arguments)
        assert files.rows[Rows(0, torch.tensor([0]))][0][0, 0, 4, 0] == wanted
    assert picture_size(FilePath(tmp_path / "a.png")) == (40, 10)
    as_it_is = read_picture(FilePath(tmp_path / "a.png"), 3)
    assert torch.equal(as_it_is.movedim(0, -1), torch.from_numpy(left))


def test_rows_that_do_not_fit_into_memory_are_the_same(monkeypatch):
    kept = prepared(COCOFormat(synthetic=True, **SMALL), "test")
    monkeypatch.setattr("datamodules.pictures.rows.IN_MEMORY", 1)
    decoded = prepared(COCOFormat(synthetic=True, **SMALL), "test")
    for one, other in zip(kept.test_dataloader(), decoded.test_dataloader(), strict=True):
        assert all(map(torch.equal, one, other))
    moved, rows = decoded.data["test"].to("cpu"), Rows(3, torch.tensor([5, 4]))
    assert all(map(torch.equal, moved[rows], kept.data["test"][rows]))


def test_a_process_without_rows_gets_an_empty_batch():
    made = prepared(COCOFormat(synthetic=True, **SMALL), "test")
    empty = made.data["test"][Rows(0, torch.arange(0))]
    assert [tuple(part.shape) for part in empty] == [(0, 3, 16, 16), (0, 1, 4), (0, 1)]
    assert transferred(made, empty).images.shape == (0, 3, 16, 16)


# Workers and resumes


class OneBox(LightningModule):
    """As small as a detector can be; writes down the batches that it sees."""

    def __init__(self, folder=None):
        super().__init__()
        self.head = nn.Linear(3, 4)
        self.folder = folder
        self.seen = []

    def training_step(self, batch, batch_idx):
        self.seen.append([part.clone() for part in batch])
        return (self.head(batch.images.mean((2, 3))) - batch.boxes[:, 0]).square().mean()

    def on_train_batch_end(self, *_):
        if self.folder:
            self.trainer.save_checkpoint(self.folder / f"{len(self.seen)}.ckpt")

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def seen(folder=None, ckpt_path=None, workers=0):
    data = COCOFormat(
        synthetic=True, size=16, batch_size=20, num_workers=workers, augment=["flip", "crop"]
    )
    model = OneBox(folder)
    quiet_trainer(max_epochs=2).fit(model, data, ckpt_path=ckpt_path)
    return model.seen


def test_a_resume_and_workers_see_the_same_batches(tmp_path):
    whole = seen(tmp_path)
    assert len(whole) == 10
    assert not torch.equal(whole[0][0], whole[5][0])
    rest = seen(ckpt_path=tmp_path / "3.ckpt")
    for wanted, found in ((whole[3:], rest), (whole, seen(workers=2))):
        for one, other in zip(wanted, found, strict=True):
            assert all(map(torch.equal, one, other))


@pytest.mark.parametrize(
    ("cls", "digests"),
    [
        (
            Pikachu,
            {
                "train.rec": "e6bcb6ffba1ac04ff8a9b1115e650af56ee969c8",
                "val.rec": "d6c33f799b4d058e82f2cb5bd9a976f69d72d520",
            },
        ),
        (Bananas, {"banana-detection.zip": "5de26c8fce5ccdea9f91267273464dc968d20d72"}),
    ],
    ids=["Pikachu", "Bananas"],
)
def test_absent_and_offline_names_the_files_and_the_ways_out(tmp_path, monkeypatch, cls, digests):
    assert {Path(file.name).name: file.sha1 for file in cls.files} == digests
    offline = tuple(
        RemoteFile(file.name, ("http://127.0.0.1:9/x",), sha1=file.sha1, most=9)
        for file in cls.files
    )
    monkeypatch.setattr(cls, "files", offline)
    message = refused(cls(root=tmp_path).prepare_data)
    for words in (*digests, "--from", "synthetic"):
        assert words in message


# The command


def test_the_command_knows_them(capsys):
    for cls in CORPORA:
        assert main(["show", cls.__name__]) in (0, None)
        shown = capsys.readouterr().out
        assert "skip_bad" in shown
        assert "(images, boxes, labels)" in shown
