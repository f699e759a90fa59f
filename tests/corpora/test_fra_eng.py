"""French and English: the synthetic pairs and the real ones."""

import hashlib
import re
import zipfile
from collections import Counter
from time import process_time

import pytest

from datamodules import FraEng
from datamodules.fra_eng import ARCHIVE, FILE
from datamodules.synthetic import phrases
from datamodules.text.tokenizers import cleaned_sentence
from datamodules.text.vocabulary import SPECIALS, Vocab
from tests.conftest import refused
from tests.corpora.conftest import UNK, prepared, texts, whole

# The stand-in


def test_one_seed_one_set_of_bytes(tmp_path):
    start = process_time()
    for name, seed in (("one", 0), ("two", 0), ("other", 1)):
        phrases.write_pairs(tmp_path / name / FILE, seed=seed)
    assert process_time() - start < 3
    one, two, other = ((tmp_path / name / FILE).read_bytes() for name in ("one", "two", "other"))
    assert one == two != other


def test_the_stand_in_reads_as_the_original(tmp_path):
    phrases.write_pairs(tmp_path / FILE)
    content = (tmp_path / FILE).read_text(encoding="utf-8")
    pairs = [line.split("\t") for line in content.splitlines()]
    assert {len(pair) for pair in pairs} == {2}
    assert len(pairs) == len({tuple(pair) for pair in pairs}) in (4000, 4001)
    english, french = zip(*pairs, strict=True)
    assert list(map(len, english)) == sorted(map(len, english))
    several = Counter(Counter(english).values())
    assert set(several) == {1, 2}
    assert several[2] > 500
    assert {"\u202f!", "\xa0?", " !"} <= {text[-2:] for text in french}
    assert all(text[0].isupper() and text[-1] in ".?!" for pair in pairs for text in pair)
    for elided in ("J'ai ", "l'île", "d'", "n'", "Est-ce qu'", "cet arbre", "bel "):
        assert elided in content
    assert not set(content) & set("{}_")
    known = {(a, cleaned_sentence(b)) for a, b in pairs}
    assert ("I'm tired.", "je suis fatigué .") in known
    assert ("I'm tired.", "je suis fatiguée .") in known
    for wrong in ("je ai", "le arbre", "la île", "ne est", "de le ", "à le ", "ma île", "beau ar"):
        assert not any(f" {wrong}" in f" {text}" for _, text in known), wrong
    corpus = prepared(FraEng(root=tmp_path, num_val=100, num_test=100), "fit", "test")
    assert corpus.files_exist
    assert "synthetic" not in corpus.described
    assert "(4,00" in corpus.described


def test_a_tenth_of_the_stand_in_is_held_out_at_most():
    corpus = prepared(FraEng(synthetic=True), "fit", "test")
    train, val, test = (len(corpus.data[split]) for split in ("train", "val", "test"))
    assert val == test == len(corpus._known) // 10
    assert train > 3000
    assert corpus.described == (
        f"fra-eng, synthetic stand-in, {train:,} train + {val} val + {test} test pairs"
    )
    fewer = prepared(FraEng(synthetic=True, num_val=5, num_test=0, num_pairs=100))
    assert len(fewer.data["val"]) == 5
    fewest = prepared(FraEng(synthetic=True, num_pairs=12), "fit", "test")
    assert len(fewest.data["val"]) == len(fewest.data["test"]) == 1
    assert fewer.described.endswith(f" + 5 val pairs (100 of {len(corpus._pairs):,} pairs)")
    unknown = sum(int((whole(corpus, split).target == UNK).sum()) for split in ("val", "test"))
    assert unknown < 10


def test_an_archive_is_read_in_place(tmp_path):
    phrases.write_pairs(tmp_path / "one" / FILE, num_pairs=200)
    (tmp_path / "two" / "fra-eng").mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "two" / ARCHIVE, "w") as archive:
        archive.write(tmp_path / "one" / FILE, FILE)
    loose, packed = (
        prepared(FraEng(root=tmp_path / name, num_val=9, num_test=9)) for name in ("one", "two")
    )
    assert packed.files_exist
    assert texts(packed, "val") == texts(loose, "val")
    assert [path.name for path in (tmp_path / "two").rglob("*.*")] == ["fra-eng.zip"]
    (tmp_path / "two" / ARCHIVE).write_bytes(b"no zip")
    other = tmp_path / "three" / ARCHIVE
    other.parent.mkdir(parents=True)
    other.write_bytes((tmp_path / "one" / FILE).read_bytes())
    assert str(other) in refused(prepared, FraEng(root=tmp_path / "three"))


# The real pairs


@pytest.mark.real
def test_the_pairs_of_the_course(real_data, tmp_path):
    (file,) = FraEng.files
    content = (real_data / ARCHIVE).read_bytes()
    assert (hashlib.sha256(content).hexdigest(), len(content)) == (file.sha256, file.size)
    assert FraEng(root=tmp_path).adopt(real_data / ARCHIVE) == [tmp_path / ARCHIVE]
    corpus = prepared(FraEng(root=real_data), "fit", "test")
    assert len(corpus._pairs) == corpus.full_size["train"] == 167_130
    assert len(corpus._known) == 116_827
    assert corpus.described == "fra-eng, 161,371 train + 2,000 val + 2,000 test pairs"
    trained = {corpus._pairs[n][0] for n in corpus._division["train"].tolist()}
    held_out = [
        corpus._pairs[n][0] for split in ("val", "test") for n in corpus._division[split].tolist()
    ]
    assert len(set(held_out)) == 4000
    assert trained.isdisjoint(held_out)
    batches = list(corpus.train_dataloader())
    assert sum(len(batch.source) for batch in batches) == 161_371
    spoken = sum(int(batch.target_lengths.sum()) for batch in batches)
    assert spoken / sum(batch.target.numel() for batch in batches) > 0.97


@pytest.mark.real
def test_the_vocabularies_of_the_course(real_data):
    """Its 180 and 161 leave ? with its word, and take a thin blank for a letter."""
    options = {"num_pairs": 1000, "min_freq": 3, "num_val": 0, "num_test": 0}
    corpus = prepared(FraEng(root=real_data, **options))
    assert corpus.described == "fra-eng, 1,000 train + 0 val pairs (1,000 of 167,130 pairs)"
    assert (corpus.source_vocab_size, corpus.target_vocab_size) == (177, 162)
    assert corpus.examples[:4] == ("go .", "wow !", "i'm ok .", "i won !")
    raw = prepared(FraEng(root=real_data, clean=False, **options))._pairs
    narrow = str.maketrans("\u202f\xa0", "  ")
    for side, size in ((0, 180), (1, 161)):
        cleaned = (
            re.sub("(?<=[^ ])(?=[,.!])", " ", pair[side].translate(narrow).lower()) for pair in raw
        )
        tokens = (token for text in cleaned for token in text.split(" "))
        assert len(Vocab.of(tokens, specials=SPECIALS, min_freq=3)) == size
