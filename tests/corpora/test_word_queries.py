"""What is asked of word vectors: files, the nearest words and analogies by brute force, ranks."""

from math import sqrt
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure

from datamodules.text.vocabulary import Vocab
from datamodules.words.pretrained_vectors import read_vectors
from datamodules.words.queries import SimilaritySet, WordQueries, word_queries
from tests.conftest import refused
from zoo.word_embedding import queries
from zoo.word_embedding.pictures import WordMap, draw_words, plane
from zoo.word_embedding.queries import Analogies, WordSimilarity, analogy, evaluate, nearest

FILES = {
    "wordsim353.tsv": "# The collection\n# Word 1\tWord 2\tmean\nLove\tsex\t6.77\ntiger\tcat\t7\n",
    "wordsim353-combined.csv": "Word 1,Word 2,Human (mean)\nlove,sex,6.77\n",
    "SimLex-999.txt": "word1\tword2\tPOS\tSimLex999\tSD\r\nold\tnew\tA\t1.58\t0.41\r\n",
    "questions-words.txt": ": capitals\nAthens Greece Oslo Norway\n\n: kin\nboy girl man woman\n",
}

seeds = st.integers(0, 10_000)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "word-similarity").mkdir()
    return tmp_path / "word-similarity"


def written(folder, *names):
    for name in names:
        (folder / name).write_bytes(FILES[name].encode())
    return word_queries(folder.parent)


def vectors(words, size=5, seed=0):
    return torch.randn(words, size, generator=torch.Generator().manual_seed(seed))


def cosine(first, second):
    lengths = [sqrt(sum(x * x for x in v)) for v in (first, second)]
    return sum(x * y for x, y in zip(first, second, strict=True)) / (lengths[0] * lengths[1])


# Files


def test_what_is_there_is_read(folder):
    assert word_queries(folder) is None
    assert word_queries(folder.parent) is None
    csv = written(folder, "wordsim353-combined.csv")
    assert csv.similarity == {"wordsim353": SimilaritySet([("love", "sex")], [6.77])}
    assert csv.analogies == {}
    found = written(folder, *FILES)
    assert found.similarity == {
        "wordsim353": SimilaritySet([("love", "sex"), ("tiger", "cat")], [6.77, 7.0]),
        "simlex999": SimilaritySet([("old", "new")], [1.58]),
    }
    assert found.analogies == {
        "capitals": [("athens", "greece", "oslo", "norway")],
        "kin": [("boy", "girl", "man", "woman")],
    }


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("wordsim353.tsv", "love\tsex\n", ", line 1: not two words and a score: 'love\\tsex'"),
        ("wordsim353.tsv", "# love\n", ": empty: there are no pairs"),
        ("wordsim353.tsv", "love\tsex\t11\n", ", line 1: '11' is no score from 0 to 10"),
        ("wordsim353-combined.csv", "a,b,c\nd,e,f\n", ", line 2: 'f' is no score from 0 to 10"),
        ("wordsim353-combined.csv", "a,b,c\n,e,1\n", ", line 2: not two words and a score: ',e,1'"),
        ("SimLex-999.txt", "a\tb\tc\td\nold\tnew\tA\tnan\n", ", line 2: 'nan' is no score from"),
        ("SimLex-999.txt", "", ": empty: there is no text"),
        ("questions-words.txt", "a b c d\n", ", line 1: a question before the first section"),
        ("questions-words.txt", ": x\na b c d\na b c\n", ", line 3: not four words but 3"),
        ("questions-words.txt", ": x\n: x\n", ", line 2: the section x is there twice"),
    ],
)
def test_a_bad_file_gets_one_line(folder, name, content, words):
    (folder / name).write_text(content)
    assert refused(word_queries, folder.parent).startswith(f"{folder / name}{words}")


@pytest.mark.real
def test_the_real_files(real_data):
    found = word_queries(real_data)
    pairs = {name: len(known.pairs) for name, known in found.similarity.items()}
    assert pairs == {"wordsim353": 353, "simlex999": 999}
    assert found.similarity["wordsim353"].pairs[1] == ("tiger", "cat")
    assert found.similarity["simlex999"].scores[1] == 9.2
    assert len(found.analogies) == 14
    assert sum(map(len, found.analogies.values())) == 19_544
    assert len(found.analogies["family"]) == 506


# Nearest words and analogies


@given(seed=seeds, words=st.integers(1, 12), rows=st.integers(0, 5), k=st.integers(1, 15))
@settings(max_examples=60)
def test_the_nearest_words_by_brute_force(seed, words, rows, k):
    table, asked = vectors(words, seed=seed), vectors(rows, seed=seed + 1)
    excluded = torch.randint(words, (rows, 2), generator=torch.Generator().manual_seed(seed))
    cosines, found = nearest(table, asked, k, excluded)
    assert cosines.shape == found.shape == (rows, min(k, words))
    for row in range(rows):
        barred = set(excluded[row].tolist())
        wanted = {word: cosine(table[word].tolist(), asked[row].tolist()) for word in range(words)}
        order = sorted(wanted.keys() - barred, key=wanted.get, reverse=True)[:k]
        assert found[row, : len(order)].tolist() == order
        shown = [wanted[word] for word in order]
        assert cosines[row, : len(order)].tolist() == pytest.approx(shown, abs=1e-5)
        assert (cosines[row, len(order) :] == -torch.inf).all()


def test_memory_is_bounded_and_rows_stay_apart(monkeypatch):
    table, asked = vectors(20), vectors(13, seed=1)
    whole = nearest(table, asked, 4)
    monkeypatch.setattr(queries, "CELLS", 60)  # three rows at a time
    for one, other in zip(nearest(table, asked, 4), whole, strict=True):
        torch.testing.assert_close(one, other)


@given(seed=seeds, words=st.integers(4, 12))
@settings(max_examples=60)
def test_analogies_by_brute_force(seed, words):
    table = vectors(words, seed=seed)
    units = [[x / sqrt(sum(y * y for y in row)) for x in row] for row in table.tolist()]
    a, b, c = torch.randint(words, (3, 6), generator=torch.Generator().manual_seed(seed))
    found = analogy(table, a, b, c, k=1)[1]
    for row, (i, j, k) in enumerate(zip(a.tolist(), b.tolist(), c.tolist(), strict=True)):
        where = [y - x + z for x, y, z in zip(units[i], units[j], units[k], strict=True)]
        others = [word for word in range(words) if word not in (i, j, k)]
        assert found[row, 0] == max(others, key=lambda word: cosine(units[word], where))


def test_inputs_are_no_answers():
    """king - man + woman is nearest to king itself, then to queen."""
    index = {"man": 0, "woman": 1, "king": 2, "queen": 3, "stone": 4}
    table = torch.tensor([[1, 0, 0.1], [1, 0, 0.2], [0, 1, 0.1], [0, 1, 0.5], [-1, 0, 0]])
    first = nearest(table, queries.fourth(table[:1], table[1:2], table[2:3]), 1)[1]
    assert first.item() == index["king"]
    share = Analogies()
    share.update(table, index, [("man", "woman", "king", "queen"), ("man", "woman", "king", "ape")])
    share.update(table, index, [("man", "woman", "king", "stone")])
    assert (share.compute(), share.covered) == (0.5, 2)


# Ranks


def ranks(values):
    """The places in order; equal values share the mean of theirs."""
    order = sorted(values)
    return [order.index(value) + (order.count(value) + 1) / 2 for value in values]


def spearman(first, second):
    pairs = [ranks(values) for values in (first, second)]
    centred = [[rank - sum(row) / len(row) for rank in row] for row in pairs]
    return cosine(*centred) if all(any(row) for row in centred) else 0.0


@given(
    seed=seeds,
    scores=st.lists(st.integers(0, 4).map(float), min_size=2, max_size=30),
    words=st.integers(2, 6),
)
@settings(max_examples=100)
def test_correlation_is_that_of_ranks_by_hand(seed, scores, words):
    table = vectors(words, size=3, seed=seed).sign()  # cosines are -1, -1/3, 1/3 or 1: many ties
    drawn = torch.randint(words, (len(scores), 2), generator=torch.Generator().manual_seed(seed))
    pairs = [(str(a), str(b)) for a, b in drawn.tolist()]
    metric = WordSimilarity()
    for start in (0, 1):  # in two parts
        metric.update(table, {str(i): i for i in range(words)}, pairs[start::2], scores[start::2])
    order = [*range(0, len(scores), 2), *range(1, len(scores), 2)]
    cosines = [round(cosine(*table[drawn[row]].tolist()), 4) for row in order]
    wanted = spearman(cosines, [scores[row] for row in order])
    assert metric.compute().item() == pytest.approx(wanted, abs=1e-4)
    assert metric.covered == len(scores)


def test_pairs_of_unknown_words_do_not_count():
    table, index = vectors(4), {"a": 0, "b": 1, "c": 2, "d": 3}
    known = SimilaritySet([("a", "b"), ("a", "x"), ("c", "d"), ("a", "d")], [1.0, 9.0, 2.0, 3.0])
    few = SimilaritySet([("a", "b"), ("x", "y")], [1.0, 2.0])
    none = SimilaritySet([("x", "y")], [2.0])
    asked = WordQueries({"known": known, "few": few, "none": none}, {"s": [("a", "b", "c", "x")]})
    found = evaluate(table.requires_grad_(), index, asked)
    cosines = [cosine(table[i].tolist(), table[j].tolist()) for i, j in ((0, 1), (2, 3), (0, 3))]
    wanted = {"known": spearman(cosines, [1, 2, 3]), "known_covered": 3, "few_covered": 1}
    wanted |= {"none_covered": 0, "analogies_covered": 0}
    assert {name: value.item() for name, value in found.items()} == pytest.approx(wanted, abs=1e-5)
    assert evaluate(table, index, WordQueries({}, {})) == {}
    both = evaluate(table, index, WordQueries({}, {"s": [("a", "b", "c", "d")], "t": []}))
    assert {name: value.item() for name, value in both.items()} == {
        "analogies": 1,
        "analogies_covered": 1,
    }


def test_nothing_covered_is_no_number():
    for metric, asked in ((WordSimilarity(), ([("a", "b")], [1.0])), (Analogies(), ([],))):
        metric.update(vectors(1), {"a": 0}, *asked)
        assert metric.compute().isnan()


# Maps


def test_a_plane_keeps_what_lies_in_one():
    flat = vectors(30, size=2) @ vectors(2, size=9, seed=1)
    points = plane(flat)
    directions = torch.nn.functional.normalize(flat, dim=1)
    found, wanted = torch.cdist(points, points), torch.cdist(directions, directions)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-3)
    torch.testing.assert_close(points, plane(3 * flat), rtol=0, atol=1e-5)
    assert points.abs().amax(0).equal(points.amax(0))


def test_labels_do_not_overlap():
    words = [f"word{number}" for number in range(40)]
    figure = draw_words(torch.cat([vectors(20, size=2), vectors(20, size=2) / 1000]), words)
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert 20 < len(boxes) < 40
    assert all(box.count_overlaps(boxes) == 1 for box in boxes)  # itself
    assert f"{len(boxes)} of them named" in figure.axes[0].get_title(loc="left")


def test_a_map_shows_words_alone(tmp_path):
    entries = ["<unk>", "the", ",", "$1", "'s", *(f"w{number}" for number in range(200))]
    trainer = Trainer(logger=False, enable_checkpointing=False, accelerator="cpu")
    trainer.datamodule = SimpleNamespace(vocab=Vocab(entries))
    model = LightningModule()
    model.table = lambda: vectors(len(entries)).requires_grad_()
    figure = WordMap(tmp_path).draw(trainer, model)["words"]
    assert isinstance(figure, Figure)
    title = figure.axes[0].get_title(loc="left")
    assert title.startswith("the 150 most frequent words, ")
    shown = {text.get_text() for text in figure.axes[0].texts}
    assert {"the", "'s"} <= shown
    assert shown <= {"the", "'s", *(f"w{number}" for number in range(148))}
    WordMap(tmp_path).on_train_end(trainer, model)
    assert (tmp_path / "validation_words.png").stat().st_size > 10_000
    model.table = lambda: vectors(len(entries), size=1)  # a line is no plane
    assert WordMap(tmp_path).draw(trainer, model) == {}
    trainer.datamodule = SimpleNamespace()
    assert WordMap(tmp_path).draw(trainer, model) == {}


# The real vectors


def glove(root):
    """Where GloVe's vectors of 50 values are, or a skip that says where they are not."""
    folder, archive = root / "glove.6B.50d", root / "glove.6B.50d.zip"
    names = ("vec.txt", "glove.6B.50d.txt")
    places = [folder / name for name in names] + [root / "glove.6B.50d.txt"]
    found = next((place for place in places if place.is_file()), None)
    if found is None and archive.is_file():
        found = Path(f"{archive}!glove.6B.50d/vec.txt")
    if found is None:
        pytest.skip("GloVe's 6B.50d is not here: put glove.6B.50d (folder or zip) under ZOO_DATA")
    return found


@pytest.mark.real
def test_glove_as_the_course_asks_it(real_data):
    words, table = read_vectors(glove(real_data))
    index = {word: row for row, word in enumerate(words)}
    assert (len(words), index["beautiful"]) == (400_000, 3366)
    near = {
        "chip": {"chips": 0.856, "intel": 0.749, "electronics": 0.749},
        "baby": {"babies": 0.839, "boy": 0.800, "girl": 0.792},
        "beautiful": {"lovely": 0.921, "gorgeous": 0.893, "wonderful": 0.830},
    }
    rows = torch.tensor([index[word] for word in near])
    cosines, found = nearest(table, table[rows], 3, rows[:, None])
    for row, wanted in enumerate(near.values()):
        shown = dict(zip((words[i] for i in found[row]), cosines[row].tolist(), strict=True))
        assert shown == pytest.approx(wanted, abs=1e-3)
    asked = ("man woman son", "beijing china tokyo", "bad worst big", "do did go")
    a, b, c = torch.tensor([[index[w] for w in question.split()] for question in asked]).T
    found = analogy(table, a, b, c)[1]
    assert [words[i] for i in found[:, 0]] == ["daughter", "japan", "biggest", "went"]
