"""IMDb reviews: folders and archives, cleaning, batches, word vectors, what is wrong."""

import io
import shutil
import tarfile
from collections import Counter
from pathlib import Path
from time import process_time

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from datamodules import IMDB
from datamodules.batches.in_memory import Rows
from datamodules.batches.ragged import Ragged
from datamodules.synthetic import reviews
from datamodules.text.review_rows import ReviewBatch, ReviewRows, cleaned_review
from datamodules.words.pretrained_vectors import write_word2vec
from tests.conftest import fails, refused
from tests.corpora.conftest import prepared
from zoo.cli.main import main

SMALL = {"min_freq": 1, "batch_size": 4}
PAD, UNK = 0, 1


@pytest.fixture
def root(tmp_path):
    """A small, right corpus as a folder, to be spoilt: 20 training and 8 test reviews."""
    for part, count in (("train", 10), ("test", 4)):
        for folder, word in (("neg", "bad"), ("pos", "good")):
            for number in range(count):
                text = f"A {word} film, number {number} of {part}.<br /><br />It{'s so' * number}!"
                path = tmp_path / "root" / "aclImdb" / part / folder / f"{number}_{number % 5}.txt"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
    (tmp_path / "root/aclImdb/train/unsup").mkdir()
    (tmp_path / "root/aclImdb/train/unsup/0_0.txt").write_bytes(b"\xff")
    (tmp_path / "root/aclImdb/train/urls_pos.txt").write_text("http://www.imdb.com")
    (tmp_path / "root/aclImdb/imdb.vocab").write_text("the")
    return tmp_path / "root"


def pack(root: Path, name: str) -> Path:
    """Moves the folder into an archive, in an order of its own."""
    path = root.parent / Path(name).name
    with tarfile.open(path, "w:gz") as archive:
        for file in sorted((root / "aclImdb").rglob("*.*"), key=lambda file: file.name[::-1]):
            archive.add(file, file.relative_to(root))
    shutil.rmtree(root / "aclImdb")
    (root / name).parent.mkdir(exist_ok=True)
    return path.rename(root / name)


def corpus(root, **options) -> IMDB:
    return prepared(IMDB(root=root, **{**SMALL, **options}))


def rows(made: IMDB, split: str) -> list[tuple[str, int]]:
    """The reviews of a split as text, and their classes."""
    batch = made.data[split][Rows(0, torch.arange(len(made.data[split])))]
    cut = zip(batch.tokens.tolist(), batch.lengths.tolist(), strict=True)
    texts = [" ".join(made.vocab.tokens(row[:length])) for row, length in cut]
    return list(zip(texts, batch.labels.tolist(), strict=True))


# Where the reviews are


@pytest.mark.parametrize(
    "name", ["aclImdb/aclImdb_v1.tar.gz", "aclImdb_v1.tar.gz", "aclImdb/aclImdb_subset.tar.gz"]
)
def test_an_archive_is_read_in_place_as_the_folder_is(root, name):
    before = corpus(root)
    pack(root, name).chmod(0o444)
    files = sorted(root.rglob("*"))
    after = corpus(root)
    for split in ("train", "val", "test"):
        assert rows(before, split) == rows(after, split)
    assert before.vocab.entries == after.vocab.entries
    assert sorted(root.rglob("*")) == files


def test_of_several_archives_the_first_by_name_is_read(root, monkeypatch):
    names = [f"aclImdb/aclImdb_{letter}.tar.gz" for letter in "cab"]
    for name in names:
        (root / name).write_bytes(b"")
    shutil.rmtree(root / "aclImdb/train")
    shutil.rmtree(root / "aclImdb/test")
    monkeypatch.setattr(Path, "glob", lambda *_: iter([root / name for name in names]))
    assert "aclImdb_a.tar.gz" in refused(corpus, root)


def test_splits_labels_and_facts(root):
    made = corpus(root)
    assert [len(split) for split in made.data.values()] == [18, 2, 8]
    assert Counter(label for _, label in rows(made, "val")) == {0: 1, 1: 1}
    assert rows(made, "test")[4] == (
        "a good film , number 0 of test . it !".replace("test", "<unk>"),
        1,
    )
    assert (made.vocab_size, made.num_classes) == (len(made.vocab), 2)
    assert made.vocab.entries[:2] == ("<pad>", "<unk>")
    assert made.described == (
        "IMDb reviews, 18 train + 2 val + 8 test rows "
        "(20 of 25,000 training rows, 8 of 25,000 test rows)"
    )
    other = corpus(root, split_seed=1)
    assert rows(other, "val") != rows(made, "val")
    assert [len(split) for split in corpus(root, validation_fraction=0).data.values()] == [20, 0, 8]


def test_folds_hold_out_each_review_once(root):
    held_out = [rows(corpus(root, fold=fold), "val") for fold in range(1, 6)]
    assert all(Counter(label for _, label in fold) == {0: 2, 1: 2} for fold in held_out)
    words = Counter(text.split(" ")[1] for fold in held_out for text, _ in fold)
    assert words == {"bad": 10, "good": 10}


def test_the_vocabulary_is_of_the_reviews_that_are_trained_on(root):
    made = corpus(root, min_freq=3)
    counts = Counter(token for text, _ in rows(corpus(root), "train") for token in text.split())
    assert set(made.vocab.entries[2:]) == {t for t, count in counts.items() if count >= 3}
    assert "<unk>" in " ".join(text for text, _ in rows(made, "val"))


def test_a_long_review_is_cut_after_its_first_tokens(root):
    whole, cut = corpus(root, max_length=None), corpus(root, max_length=6)
    for split in ("train", "val", "test"):
        for (text, _), (first, _) in zip(rows(whole, split), rows(cut, split), strict=True):
            assert first.split()[:4] == text.split()[:4]
            assert len(first.split()) == 6 < len(text.split())


# Cleaning


def test_cleaning():
    assert " ".join(cleaned_review("It's NOT, isn't it?").split()) == "it 's not , is n't it ?"
    text = "Don\u2019t<br /><br />waste 3.5 hours--\u201cwell-made\u201d (they'll say)!"
    wanted = "do n't waste 3 . 5 hours - - \" well - made \" ( they 'll say ) !"
    assert cleaned_review(text).split() == wanted.split()
    assert cleaned_review("the boys' 'best' o'clock").split() == [
        *("the", "boys", "'", "'", "best", "'", "o'clock")
    ]


@given(st.text(alphabet="aB n't'so.,<br />\n", max_size=20))
def test_cleaning_twice_changes_no_word(text):
    once = cleaned_review(text)
    assert "<br />" not in once
    assert cleaned_review(once).split() == once.split()


# Batches


def test_batches_are_padded_reviews_of_like_lengths(root):
    made = corpus(root)
    seen = []
    for batch in made.train_dataloader():
        assert isinstance(batch, ReviewBatch)
        assert all(part.dtype == torch.int64 for part in batch)
        assert batch.tokens.shape == (len(batch.labels), int(batch.lengths.max()))
        own = torch.arange(batch.tokens.shape[1]) < batch.lengths[:, None]
        assert (batch.tokens[~own] == PAD).all()
        assert (batch.tokens[own] != PAD).all()
        seen += batch.lengths.tolist()
    assert sorted(seen) == sorted(len(text.split()) for text, _ in rows(made, "train"))
    assert sum(len(batch.labels) for batch in made.test_dataloader()) == 8


@given(st.lists(st.integers(1, 500), min_size=2, max_size=40))
def test_alike_is_within_a_fifth(lengths):
    texts = Ragged(torch.ones(sum(lengths), dtype=torch.long), torch.tensor(lengths))
    (keys,) = ReviewRows(texts, torch.zeros(len(lengths)), torch.arange(len(lengths))).lengths
    for key in keys.unique():
        alike = texts.lengths[keys == key]
        assert alike.max() <= 1.19 * alike.min() + 1
    order = texts.lengths.argsort(stable=True)
    assert (keys[order].diff() >= 0).all()


def test_an_epoch_mixes_what_is_alike_anew():
    made = corpus(None, synthetic=True, batch_size=16)
    found = []
    for epoch in range(2):
        made.position = lambda num_batches, epoch=epoch: (epoch, 0)
        found.append({frozenset(rows.indices.tolist()) for rows in made.train_dataloader().order})
    assert len(found[0] & found[1]) < len(found[0]) / 4


# What is wrong


def test_what_is_wrong_is_named_in_one_line(root):
    folder = root / "aclImdb"
    (folder / "train/pos/3_3.txt").write_text(" \n")
    assert "train/pos/3_3.txt: empty" in refused(corpus, root)
    (folder / "train/pos/3_3.txt").write_text("<br />")
    assert "train/pos/3_3.txt: there is no word token in it" in refused(corpus, root)
    (folder / "train/pos/3_3.txt").write_bytes("café".encode("latin-1"))
    assert "train/pos/3_3.txt: not UTF-8 text (byte 4)" in refused(corpus, root)
    (folder / "train/pos/3_3.txt").write_bytes(b"a" * (1 << 20) + b"a")
    assert "train/pos/3_3.txt: over 1,048,576 bytes" in refused(corpus, root)
    pack(root, "aclImdb_v1.tar.gz")
    assert "tar.gz!aclImdb/train/pos/3_3.txt: over" in refused(corpus, root)


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "archive"])
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: shutil.rmtree(folder / "train/neg"), "there are no texts in train/neg/"),
        (lambda folder: shutil.rmtree(folder / "test/pos"), "there are no texts in test/pos/"),
        (
            lambda folder: (folder / "train/pos").rename(folder / "train/good"),
            "wanted train/neg and train/pos, and found texts in folders called: good",
        ),
    ],
    ids=["train", "test", "unknown"],
)
def test_missing_and_unknown_classes(root, spoil, words, packed):
    spoil(root / "aclImdb")
    if packed:
        pack(root, "aclImdb_v1.tar.gz")
    assert words in refused(corpus, root)


def test_damaged_archives(root):
    letters = torch.randint(97, 122, (500_000,), generator=torch.Generator().manual_seed(0))
    (root / "aclImdb/train/neg/5_5.txt").write_bytes(bytes(letters.tolist()))
    path = pack(root, "aclImdb_v1.tar.gz")
    content = path.read_bytes()
    for cut in (0, 10, 300, len(content) // 2, len(content) - 9):
        path.write_bytes(content[:cut])
        assert "aclImdb_v1.tar.gz: cannot be read" in refused(corpus, root)


def test_a_link_in_an_archive_is_no_review(root):
    path = pack(root, "aclImdb_v1.tar.gz")
    link = tarfile.TarInfo("aclImdb/train/pos/99_9.txt")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with tarfile.open(path) as old:
        members = [(info, old.extractfile(info).read()) for info in old if info.isfile()]
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(link)
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    assert len(corpus(root).data["train"]) == 18


def test_a_part_that_is_missing(root):
    shutil.rmtree(root / "aclImdb/test")
    made = IMDB(root=root, **SMALL)
    made.setup("fit")
    assert "aclImdb/test: cannot be read" in refused(made.setup, "test")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"min_freq": 0}, "min_freq must be at least 1, not 0"),
        ({"max_length": 0}, "max_length must be at least 1, not 0"),
        ({"tokenizer": "wrod"}, "no tokenizer is called 'wrod' (did you mean word?)"),
        ({"fold": 9}, "fold must be from 1 to 5, not 9"),
    ],
)
def test_options_that_cannot_be(options, words):
    assert words in refused(IMDB, **options)


def test_absent_and_offline_names_the_file_and_the_ways_out(tmp_path, monkeypatch):
    (file,) = IMDB.files
    monkeypatch.setattr(
        IMDB, "files", (type(file)(file.name, ("http://127.0.0.1:9/x",), sha1=file.sha1, most=9),)
    )
    message = refused(IMDB(root=tmp_path / "none").prepare_data)
    for words in ("aclImdb_v1.tar.gz", "--from", "--data.synthetic true"):
        assert words in message


# Word vectors


def test_words_begin_with_their_vectors(root):
    assert IMDB(root=root, **SMALL).embedding_weights is None
    words = ["film", "good", "unheard-of"]
    vectors = torch.tensor([[1.0, 2.0], [3.0, 4.0], [9.0, 9.0]])
    write_word2vec("vectors.txt", words, vectors)
    made = corpus(root, vectors="vectors.txt")
    weights = made.embedding_weights
    assert weights.shape == (made.vocab_size, 2)
    assert torch.equal(weights[made.vocab[["film", "good"]]], vectors[:2])
    assert not weights[PAD].any()
    others = weights[[i for i in range(1, made.vocab_size) if i not in made.vocab[words[:2]]]]
    assert 0.3 < others.std() < 3
    assert len(others.unique()) == others.numel()
    assert torch.equal(corpus(root, vectors="vectors.txt").embedding_weights, weights)
    assert made.described.endswith(f"; vectors of 2 of the {made.vocab_size:,} words")
    write_word2vec("others.txt", ["xyzzy"], torch.ones(1, 2))
    assert "others.txt: it has none of the" in refused(corpus, root, vectors="others.txt")
    assert "absent.txt: cannot be read" in refused(corpus, root, vectors="absent.txt")


# What a checkpoint keeps


def test_the_state_is_all_that_predicting_needs(root, tmp_path):
    write_word2vec("vectors.txt", ["film"], torch.ones(1, 2))
    made = corpus(root, vectors=Path("vectors.txt").absolute(), max_length=50)
    torch.save(made.state_dict(), tmp_path / "state")
    state = torch.load(tmp_path / "state", weights_only=True)
    assert state["classes"] == ["negative", "positive"]
    assert state["vocabulary"] == list(made.vocab.entries)
    assert (state["tokenizer"], state["clean"], state["max_length"]) == ("word", True, 50)
    assert str(tmp_path) not in str(state)
    assert {"root", "vectors"}.isdisjoint(state["arguments"])
    made.load_state_dict(state)
    message = refused(corpus(root, min_freq=3).load_state_dict, state)
    assert "trained on another text" in message
    assert "max_length 50" in message


# The stand-in


def test_the_stand_in_is_in_the_corpus_form_and_the_same_each_time(tmp_path):
    for name in ("one", "two"):
        reviews.write(tmp_path / name / "aclImdb", num_train=12, num_test=4)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.txt"))
    assert len(files) == 16
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    made = corpus(tmp_path / "one")
    assert [len(split) for split in made.data.values()] == [11, 1, 4]


def test_the_stand_in_denies_and_breaks_lines():
    made = IMDB(synthetic=True)
    made.prepare_data()
    files = sorted((made.folder / "aclImdb/train").rglob("*.txt"))
    texts = [path.read_text() for path in files]
    assert len(set(texts)) == len(texts) == 600
    assert any("<br /><br />" in text for text in texts)
    for label, word in (("pos", "dull"), ("neg", "great")):
        own = [t for t, f in zip(texts, files, strict=True) if f.parent.name == label]
        assert sum(word in text for text in own) > len(own) / 20
    made.setup("fit")
    made.setup("test")
    assert made.described == (
        "IMDb reviews, synthetic stand-in, 540 train + 60 val + 200 test rows"
    )


def test_the_command_names_what_is_wrong(capsys):
    small = ("--data.synthetic", "true")
    line = fails(capsys, "fit", "text_cnn-imdb", *small, "--data.tokenizer", "wrod")
    assert "did you mean word?" in line
    line = fails(capsys, "fit", "text_cnn-imdb", *small, "--model.vocab_size", "3")
    assert "vocab_size follows from the corpus IMDB" in line


def test_vectors_of_another_size_get_one_line(capsys):
    write_word2vec("vectors.txt", ["film", "movie"], torch.randn(2, 5))
    options = ["--data.synthetic", "true", "--data.vectors", "vectors.txt"]
    options += ["--trainer.accelerator", "cpu", "--trainer.max_epochs", "1"]
    assert main(["fit", "bag_of_embeddings-imdb", *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(": --model.embed_dim 5")
    assert main(["fit", "bag_of_embeddings-imdb", *options, "--model.embed_dim", "5"]) == 0
    assert "; vectors of 2 of the" in capsys.readouterr().out


# The real corpus


@pytest.mark.real
def test_the_real_reviews(real_data):
    start = process_time()
    made = IMDB(root=real_data)
    made.prepare_data()
    made.setup("fit")
    made.setup("test")
    assert process_time() - start < 60  # 20 s on a slow core
    train, val, test = made.data.values()
    assert len(train) + len(val) <= 25_000
    for split in (train, val, test):
        counts = split.labels[split.chosen].bincount()
        assert abs(int(counts[0] - counts[1])) <= 1
        assert split.texts.lengths.max() <= 500
    assert made.vocab_size > 5_000
    assert {"film", "n't", "'s", "<unk>"} <= set(made.vocab.entries)
    assert "br" not in made.vocab
    assert "aclImdb" not in str(made.state_dict()["arguments"])
