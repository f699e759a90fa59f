"""The Time Machine: the synthetic book and the real one."""

import hashlib
from time import process_time

import pytest
import torch

from datamodules import TimeMachine
from datamodules.files.text import read_text
from datamodules.synthetic import prose
from datamodules.text.penn_treebank_files import NAMES
from datamodules.time_machine import FILE
from tests.corpora.conftest import prepared

# The stand-ins


def test_one_seed_one_set_of_bytes(tmp_path):
    start = process_time()
    for name, seed in (("one", 0), ("two", 0), ("other", 1)):
        prose.write_book(tmp_path / name / FILE, seed=seed)
        prose.write_sentences(tmp_path / name / "ptb", tuple(NAMES.values()), seed=seed)
    assert process_time() - start < 3
    contents = [
        {path.name: path.read_bytes() for path in sorted((tmp_path / name).rglob("*.txt"))}
        for name in ("one", "two", "other")
    ]
    assert contents[0] == contents[1]
    assert all(contents[0][name] != contents[2][name] for name in contents[0])


def test_the_book_reads_as_the_original(tmp_path):
    prose.write_book(tmp_path / FILE)
    content = read_text(tmp_path / FILE)
    assert 60_000 < len(content) < 100_000
    assert max(map(len, content.split("\n"))) <= 70
    words = content.split()
    assert 400 < len(set(words)) < 900
    assert not set(content) & set("{}")
    assert content.isascii()
    corpus = prepared(TimeMachine(root=tmp_path))
    assert corpus.files_exist
    assert corpus.vocab_size == 28
    assert "synthetic" not in corpus.described


def test_the_book_can_be_learnt():
    """Characters before tell much of the next one, on the text that is held out too."""
    corpus = prepared(TimeMachine(synthetic=True))
    train, val = (corpus.data[split].tensors[0][:20_000] for split in ("train", "val"))
    perplexity = []
    for order in (0, 1, 3):
        counts: dict = {}
        for i in range(order, len(train)):
            row = counts.setdefault(tuple(train[i - order : i].tolist()), torch.full((28,), 0.01))
            row[train[i]] += 1
        even = torch.full((28,), 1 / 28)
        told = [counts.get(tuple(val[i - order : i].tolist()), even) for i in range(3, len(val))]
        chosen = torch.stack([row[val[i]] / row.sum() for i, row in enumerate(told, start=3)])
        perplexity.append(chosen.log().mean().neg().exp().item())
    assert perplexity[0] > perplexity[1] > perplexity[2]
    assert perplexity[2] < 4


# The real texts


@pytest.mark.real
def test_the_time_machine(real_data, tmp_path):
    (file,) = TimeMachine.files
    content = (real_data / FILE).read_bytes()
    assert (hashlib.sha256(content).hexdigest(), len(content)) == (file.sha256, file.size)
    corpus = prepared(TimeMachine(root=real_data))
    assert corpus.vocab_size == 28
    assert len(corpus.data["train"]) + 1 + len(corpus.data["val"]) == 173_428
    assert len(corpus.data["val"]) == 17_343
    words = TimeMachine(root=real_data, tokenizer="word", order="appearance", validation_fraction=0)
    assert words.vocab_size == 4580
    assert words.vocab[["the", "time", "machine", "by", "h", "g", "wells", "i", "traveller"]] == [
        *range(1, 10)
    ]
    few = prepared(TimeMachine(root=real_data, max_tokens=10_000, validation_fraction=0))
    assert len(few.train_dataloader()) == 8
    assert "(10,000 of 173,428 characters)" in few.described
    protocol = {"num_steps": 32, "partition": "random", "stride": 1, "batch_size": 1024}
    d2l = TimeMachine(root=real_data, max_tokens=15_063, validation_fraction=1 / 3, **protocol)
    assert len(prepared(d2l).train_dataloader()) == 9
    assert TimeMachine(root=tmp_path).adopt(real_data / FILE) == [tmp_path / FILE]
