"""Two processes train and measure what one does: same rows a step, same weights, same metrics.

Cases run in double precision, without what a process draws or takes from its own share of a batch:
dropout is 0, batch normalisation as in evaluation, and noise comes from the batch. See worlds.py.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from datamodules import FashionMNIST
from tests.conftest import all_architectures, all_recipes, quiet_trainer
from tests.training.worlds import ROWS, STEPS
from zoo import LeNet

ROUNDING = 1e-10  # of weights, after 20 steps of rounding at 1e-16
PROGRAM = Path(__file__).with_name("worlds.py")
TREE = "model.objective=hierarchical_softmax model.shared_negatives=0 model.mini_batch_size=null"
HARDEST = "model.negative_ratio=3.0 model.optimizer=torch.optim.Adam"
# At least one of each family; with micro-batches (@) where what a loss is a mean over depends on
# the data, and where it does not.
CASES = {
    "generation": [
        "gan-gaussian2d",
        "dcgan-fashion_mnist model.feature_network=lenet.ckpt trainer.max_steps=2",
    ],
    "image_classification": ["lenet_relu-fashion_mnist", "lenet_relu-fashion_mnist@2"],
    "language_modeling": [
        "rnn-time_machine",
        "gru_deep_held_out-time_machine@2",
        "ngram-time_machine",
    ],
    "object_detection": ["tiny_ssd-pikachu", f"tiny_ssd-pikachu@2 {HARDEST}"],
    "optimization": ["surface_stochastic-gradient_noise"],
    "regression": ["linear_regression-house_prices"],
    "sequence_tagging": ["bidirectional_tagger-word_boundaries@2 data.tail=pad"],
    "style_transfer": ["fast_style_zoo-style_pictures trainer.max_steps=10"],
    "text_classification": ["bag_of_embeddings-imdb"],
    "translation": ["seq2seq-fra_eng", "transformer-fra_eng@2"],
    "word_embedding": [
        "glove-penn_treebank_cooccurrences",
        "skip_gram_adam-penn_treebank_windows@2",
        f"cbow-penn_treebank_windows@2 {TREE} model.optimizer=torch.optim.Adam "
        "model.lr_scheduler=null",
    ],
}
# Recipes that train in one process alone, and say so.
ALONE = {
    "neural_style-style_pair": "one picture is painted in one process",
    "neural_style_zoo-style_pair": "one picture is painted in one process",
    "surface_newton-gradient_noise": "Newton trains in one process",
    "cbow-penn_treebank_windows": "RowSGD trains in one process",
    "fasttext-penn_treebank_windows": "RowSGD trains in one process",
    "skip_gram-penn_treebank_windows": "RowSGD trains in one process",
}
REFUSED = ["surface_newton-gradient_noise", "skip_gram-penn_treebank_windows"]
EVERY_CASE = [case for cases in CASES.values() for case in cases]


def in_both_worlds(folder, cases):
    """What came out of each case in one process and in two, which run at the same time."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    started = [
        subprocess.Popen(
            [sys.executable, str(PROGRAM), f"{world}.pt", str(world), *cases],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for world in (1, 2)
    ]
    for process in started:
        output, _ = process.communicate(timeout=3_000)
        assert process.returncode == 0, output[-3_000:]
    return [torch.load(folder / f"{world}.pt", weights_only=True) for world in (1, 2)]


def assert_equal(case, one, two):
    assert one["steps"] == two["steps"] > 0
    assert one["steps"] == STEPS or "max_steps" in case
    assert set(one["weights"]) == set(two["weights"])
    for name, value in one["weights"].items():
        torch.testing.assert_close(two["weights"][name], value, rtol=0, atol=ROUNDING, msg=name)
    assert list(one["metrics"]) == list(two["metrics"])
    for rows, measured in one["metrics"].items():
        relative = 1e-5 if rows == "train" else 1e-6  # sums of many steps, in single precision
        close = pytest.approx(measured, rel=relative, abs=1e-6)
        assert two["metrics"][rows] == close, rows


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("worlds")
    trainer = quiet_trainer(max_steps=1, limit_val_batches=0)
    trainer.fit(LeNet(1, 10, activation="relu"), FashionMNIST(synthetic=True))
    trainer.save_checkpoint(folder / "lenet.ckpt")
    return in_both_worlds(folder, [*EVERY_CASE, *REFUSED])


def test_every_family_has_a_case():
    assert set(CASES) == {architecture.family for architecture in all_architectures()}
    names = {recipe.name for recipe in all_recipes()}
    assert set(ALONE) <= names
    for family, cases in CASES.items():
        assert {recipe.path.parent.name for recipe in all_recipes() if recipe.name in {
            case.split()[0].partition("@")[0] for case in cases
        }} == {family}  # fmt: skip


@pytest.mark.parametrize("case", EVERY_CASE, ids=lambda case: case.split()[0])
def test_two_processes_train_and_measure_what_one_does(worlds, case):
    one, two = (world[case] for world in worlds)
    assert_equal(case, one, two)
    assert set(ROWS) < set(one["metrics"])


@pytest.mark.parametrize("case", REFUSED)
def test_what_trains_in_one_process_says_so(worlds, case):
    one, two = (world[case] for world in worlds)
    assert "refusal" not in one
    assert two["refusal"] == f"{ALONE[case]}: --trainer.devices 1"


def test_the_frechet_distance_is_that_of_one_process(worlds):
    (case,) = (case for case in EVERY_CASE if "feature_network" in case)
    one, two = (world[case]["metrics"][65] for world in worlds)
    assert {"test/frechet_distance", "test/precision", "test/recall"} <= set(one)
    assert two["test/frechet_distance"] == pytest.approx(one["test/frechet_distance"], rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("family", CASES)
def test_every_recipe_in_both_worlds(family, parts, tmp_path):
    names = [recipe.name for recipe in all_recipes() if recipe.path.parent.name == family]
    cases = [name if parts == 1 else f"{name}@{parts}" for name in names]
    if family == "generation" and parts > 1:
        pytest.skip("two networks accumulate by --model.micro_batch_size")
    one, two = in_both_worlds(tmp_path, cases)
    for name, case in zip(names, cases, strict=True):
        if name in ALONE:
            assert "refusal" in two[case]
            assert parts > 1 or "refusal" not in one[case]
        else:
            assert_equal(case, one[case], two[case])
