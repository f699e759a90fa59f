"""The command, for word vectors: the nearest words, analogies, a file that gensim reads."""

from pathlib import Path

import pytest
import torch

from datamodules.text.penn_treebank_files import PennTreebankFiles
from datamodules.words.pretrained_vectors import read_vectors
from tests.conftest import fails
from zoo.checkpoints.checkpoint import corpus_state, load, read
from zoo.cli.main import main
from zoo.word_embedding.queries import analogy, nearest

pytestmark = pytest.mark.drawn


def trained(model, capsys):
    """The checkpoint of a recipe after an epoch on the stand-in."""
    name = f"{model}-penn_treebank_windows"
    small = ["--data.synthetic", "true", "--trainer.max_epochs", "1"]
    assert main(["fit", name, *small, "--trainer.accelerator", "cpu"]) == 0
    capsys.readouterr()
    assert Path(f"runs/{name}/1/pictures/validation_words.png").exists()
    return f"runs/{name}/1/checkpoints/last.ckpt"


def answers(path):
    """Neighbours and cosines by what was asked."""
    found = {}
    for line in Path(path).read_text().splitlines():
        asked, word, cosine = line.split("\t")
        found.setdefault(asked, []).append((word, float(cosine)))
    return found


def test_words_are_asked_by_the_command(capsys):
    path = trained("skip_gram", capsys)
    ask = ["predict", "--ckpt_path", path]
    words = corpus_state(read(path))["vocabulary"]
    index = {word: row for row, word in enumerate(words)}
    table = load(path).table().detach()

    options = ["--nearest", "lantern,harbour", "--nearest", "letter", "--top", "4"]
    assert main([*ask, *options, "--analogy", "he", "his", "she"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == "written: predictions/1.txt"
    found = answers("predictions/1.txt")
    assert list(found) == ["lantern", "harbour", "letter", "he : his = she : ?"]
    for word in ("lantern", "harbour", "letter"):
        row = index[word]
        barred = torch.tensor([[row, *(index[w] for w in words if w.startswith("<"))]])
        cosines, rows = nearest(table, table[row][None], 4, barred)
        assert [word for word, _ in found[word]] == [words[row] for row in rows[0]]
        assert [c for _, c in found[word]] == pytest.approx(cosines[0].tolist(), abs=1e-4)
        assert all(f"{cosine:.4f}" in out for _, cosine in found[word])
    (rows,) = analogy(table, *(torch.tensor([index[word]]) for word in ("he", "his", "she")), 6)[1]
    wanted = [words[row] for row in rows if not words[row].startswith("<")][:4]
    assert [word for word, _ in found["he : his = she : ?"]] == wanted
    assert main([*ask, "--nearest", "lantern", "--output", "near.txt"]) == 0
    assert len(answers("near.txt")["lantern"]) == 10

    capsys.readouterr()
    assert main([*ask, "--export", "vectors.txt"]) == 0
    assert capsys.readouterr().out == "written: vectors.txt\n"
    exported = read_vectors("vectors.txt")
    assert exported.words == words
    assert exported.vectors.equal(table)
    assert main([*ask, "--export", "again.txt", "--nearest", "tea"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert (shown[0], shown[-1]) == ("written: again.txt", "written: predictions/2.txt")
    assert Path("again.txt").read_bytes() == Path("vectors.txt").read_bytes()

    assert main([*ask, "--export", "runs", "--nearest", "tea"]) == 2
    assert "zoo: runs: cannot be written (Is a directory)" in capsys.readouterr().err
    assert not Path("predictions/3.txt").exists()

    for options, line in [
        ((), "say what to ask: --nearest WORD,WORD, --analogy man woman king, or --export FILE"),
        (("--nearest", "lantren"), "lantren is not in the vocabulary of"),
        (("--nearest", "lantren"), "words (did you mean lantern"),
        (("--nearest", "THE"), " words (did you mean the or "),
        (("--analogy", "he", "his", "qqqq", "--export", "v.txt"), "qqqq is not in the vocabulary"),
        (("--nearest", "tea", "--top", "0"), "top is 0"),
        (("--nearest", "tea", "kettle"), "not kettle"),
        (("--analogy", "he", "his"), "expected 3 arguments"),
        (("--prompt", "tea"), "has vectors of words: --prompt is not for that"),
        (("--nearest", ","), "say what to ask"),
    ]:
        assert line in fails(capsys, *ask, *options)


def test_gensim_reads_what_is_exported(capsys):
    gensim = pytest.importorskip("gensim", reason="gensim is not installed")
    path = trained("skip_gram", capsys)
    assert main(["predict", "--ckpt_path", path, "--export", "vectors.txt"]) == 0
    read_back = gensim.models.KeyedVectors.load_word2vec_format("vectors.txt")
    assert read_back.index_to_key == corpus_state(read(path))["vocabulary"]
    options = ["--nearest", "lantern", "--output", "near.txt"]
    assert main(["predict", "--ckpt_path", path, *options]) == 0
    for word, cosine in answers("near.txt")["lantern"]:
        assert read_back.similarity("lantern", word) == pytest.approx(cosine, abs=1e-3)


def test_a_word_never_seen_has_neighbours_where_its_pieces_do(capsys, monkeypatch):
    path = trained("fasttext", capsys)
    monkeypatch.delattr(PennTreebankFiles, "sentences")  # the checkpoint is all that is needed
    options = ["--nearest", "lanterns", "--analogy", "he", "hiss", "she", "--top", "3"]
    assert main(["predict", "--ckpt_path", path, *options]) == 0
    found = answers("predictions/1.txt")
    assert [len(rows) for rows in found.values()] == [3, 3]
    assert found["lanterns"][0][0] == "lantern"
