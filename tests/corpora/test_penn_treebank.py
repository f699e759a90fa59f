"""Penn Treebank: synthetic sentences, folder and archive, the real ones."""

import hashlib
import shutil
import zipfile

import pytest
import torch

from datamodules import PennTreebank
from datamodules.batches.token_streams import (
    IGNORED,
)
from datamodules.synthetic import prose
from datamodules.text.penn_treebank_files import ARCHIVE, NAMES
from datamodules.text.vocabulary import EOS, UNK
from tests.conftest import refused
from tests.corpora.conftest import prepared


def test_the_sentences_read_as_the_original(tmp_path):
    prose.write_sentences(tmp_path / "ptb", tuple(NAMES.values()))
    corpus = prepared(PennTreebank(root=tmp_path), "fit", "test")
    assert {UNK, EOS, "N", "n't", "'s", "mrs."} <= set(corpus.vocab.entries)
    lines = (tmp_path / "ptb" / NAMES["train"]).read_text().splitlines()
    assert len(lines) > 1000
    assert all(line.startswith(" ") and line.endswith(" ") for line in lines)
    assert not any(set(line) & set("ABCDE.,;?!") - {"."} for line in lines)
    unknown = corpus.data["test"].tensors[0] == corpus.vocab[UNK]
    assert unknown.float().mean() < 0.05


def test_an_archive_is_read_in_place(tmp_path):
    prose.write_sentences(tmp_path / "one" / "ptb", tuple(NAMES.values()))
    (tmp_path / "two" / "ptb").mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "two" / ARCHIVE, "w") as archive:
        for name in NAMES.values():
            archive.write(tmp_path / "one" / "ptb" / name, f"ptb/{name}")
    loose, packed = (
        prepared(PennTreebank(root=tmp_path / name), "fit", "test") for name in ("one", "two")
    )
    assert packed.files_exist
    for split in ("train", "val", "test"):
        assert torch.equal(loose.data[split].tensors[0], packed.data[split].tensors[0])
    assert sorted(p.name for p in (tmp_path / "two").rglob("*.*")) == ["ptb.zip"]
    assert "929,589 words" in packed.described
    assert "82,430 test words" in packed.described
    path = tmp_path / "cut" / ARCHIVE
    path.parent.mkdir(parents=True)
    path.write_bytes((tmp_path / "two" / ARCHIVE).read_bytes()[:-900])
    assert str(path) in refused(prepared, PennTreebank(root=tmp_path / "cut"))


def test_a_line_ends_with_eos_and_a_text_begins_after_one(tmp_path):
    (tmp_path / "ptb").mkdir()
    for name, lines in zip(NAMES.values(), ("a b\na <unk>\n", "b c\n", "a\n"), strict=True):
        (tmp_path / "ptb" / name).write_text(lines)
    corpus = prepared(PennTreebank(root=tmp_path, batch_size=1, num_steps=2), "fit", "test")
    assert corpus.vocab.entries == (EOS, UNK, "a", "b")
    assert corpus.data["train"].tensors[0].tolist() == [0, 2, 3, 0, 2, 1, 0]
    assert corpus.data["val"].tensors[0].tolist() == [0, 3, 1, 0]
    assert [batch[1].tolist() for batch in corpus.val_dataloader()] == [[[3, 1]], [[0, IGNORED]]]
    few = prepared(PennTreebank(root=tmp_path, max_tokens=2), "fit")
    assert few.data["train"].tensors[0].tolist() == [0, 2, 3]
    assert len(few.data["val"]) == 3


@pytest.mark.real
def test_penn_treebank(real_data, tmp_path):
    corpus = prepared(PennTreebank(root=real_data), "fit", "test")
    assert corpus.vocab_size == 10_000
    assert [len(words) for words in corpus.data.values()] == [929_589, 73_760, 82_430]
    assert corpus.described == (
        "Penn Treebank, 929,589 train + 73,760 val + 82,430 test words to predict"
    )
    (tmp_path / "ptb").mkdir()
    shutil.copyfile(real_data / ARCHIVE, tmp_path / ARCHIVE)
    packed = prepared(PennTreebank(root=tmp_path), "test")
    assert torch.equal(packed.data["test"].tensors[0], corpus.data["test"].tensors[0])
    (file,) = PennTreebank.files
    content = (real_data / ARCHIVE).read_bytes()
    assert (hashlib.sha256(content).hexdigest(), len(content)) == (file.sha256, file.size)
