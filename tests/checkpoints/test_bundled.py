"""Trained models that come with the zoo: whole, small, and good for something."""

from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

import zoo
from datamodules import FashionMNIST, FraEng
from scripts.results.measure import Measurer
from scripts.results.ship import MOST, RECIPES, ship
from tests.conftest import fails
from zoo.checkpoints.bundled import FOLDER, bundled, resolved
from zoo.checkpoints.checkpoint import read
from zoo.cli.main import main
from zoo.errors import InputError


def test_they_are_those_that_the_script_trains_and_small():
    assert bundled() == sorted(RECIPES)
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < MOST


@pytest.mark.parametrize(("size", "names"), [(10, sorted(RECIPES)), (MOST // 4, [])])
def test_all_of_them_are_written_or_none(size, names, tmp_path, monkeypatch):
    class Made(Measurer):
        def fit(self, row, seed):
            return tmp_path

        def do(self, command, *rest):
            Path(command[-1]).write_bytes(bytes(size))

    monkeypatch.setattr("scripts.results.ship.FOLDER", tmp_path / "trained")
    with nullcontext() if names else pytest.raises(InputError, match="ship smaller ones"):
        ship(Made(tmp_path, float("inf")))
    assert sorted(path.stem for path in (tmp_path / "trained").glob("*")) == names


@pytest.mark.parametrize("name", bundled())
def test_each_loads_by_its_name_and_was_trained_on_the_real_corpus(name):
    model = zoo.load(name)
    assert not model.training
    checkpoint = read(name)
    corpus = checkpoint[checkpoint["zoo"]["corpus"]]
    assert not corpus.get("arguments", {}).get("synthetic")


@pytest.mark.real
def test_lenet_knows_the_real_garments(real_data):
    corpus = FashionMNIST(root=real_data)
    corpus.setup("test")
    images, labels = next(iter(corpus.test_dataloader()))
    model = zoo.load("lenet_relu-fashion_mnist")
    with torch.no_grad():
        guesses = model(corpus.on_after_batch_transfer((images, labels), 0)[0]).argmax(dim=1)
    assert (guesses == labels).float().mean() > 0.85


def said_of(capsys, name: str, text: str) -> str:
    assert main(["predict", "--ckpt_path", name, "--text", text]) == 0
    return capsys.readouterr().out.splitlines()[-2]


@pytest.mark.parametrize("english", ["go .", "i lost .", "i'm home .", "i'm ok ."])
def test_the_translator_knows_what_the_course_translates(capsys, english):
    assert said_of(capsys, "seq2seq-fra_eng", english) == FraEng.well_known[english]


def test_the_translator_knows_the_sentence_that_the_zoo_suggests(capsys):
    for text in ("I won !", "I won!", "i won !"):
        assert said_of(capsys, "seq2seq-fra_eng", text) == "j'ai gagné !"


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("not good at all", "negative"),
        ("a great film", "positive"),
        ("the plot was dull and I fell asleep", "negative"),
        ("a wonderful story, beautifully told", "positive"),
        ("what a waste of time", "negative"),
        ("one of the best films of the year", "positive"),
        ("the worst movie I have ever seen", "negative"),
        ("I loved every minute of it", "positive"),
    ],
)
def test_the_classifier_of_reviews_knows_what_people_say(capsys, text, label):
    assert said_of(capsys, "bag_of_embeddings-imdb", text).startswith(label)


def test_the_command_predicts_by_a_name(capsys, tmp_path):
    assert main(["predict", "--ckpt_path", "gru_held_out-time_machine", "--prompt", "the"]) == 0
    assert "written:" in capsys.readouterr().out


def test_a_file_of_that_name_wins(tmp_path):
    (tmp_path / bundled()[0]).touch()
    assert resolved(tmp_path.joinpath(bundled()[0])).parent == tmp_path


def test_another_name_is_refused_with_those_there_are(capsys):
    said = fails(capsys, "predict", "--ckpt_path", "lenet-fashion_mnist", "shirt.png")
    assert "there is no such checkpoint; with the zoo come: bag_of_embeddings-imdb" in said
