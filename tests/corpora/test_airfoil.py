"""Airfoil noise: the real file and its optimum, the stand-in, folds, tables without a header."""

import csv
import multiprocessing
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules import Airfoil
from datamodules.airfoil import FILE
from datamodules.files import staging
from datamodules.files.errors import CorpusError
from datamodules.synthetic import airfoils
from tests.conftest import fails
from zoo.cli.main import main
from zoo.regression.linear_regression import least_squares

RECIPE = "linear_regression-airfoil"
QUICK = ["--trainer.accelerator", "cpu", "--trainer.max_epochs", "1"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The checkpoint of a run on the stand-in, with rows held out."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        argv = ["fit", "--model", "LinearRegression", "--data", "Airfoil", *QUICK]
        held_out = ["--data.measure_on", "held_out", "--data.num_rows", "null"]
        assert main([*argv, *held_out, "--data.synthetic", "true"]) == 0
    return str(folder / "runs" / RECIPE / "1" / "checkpoints" / "best.ckpt")


def rows(corpus: Airfoil, split: str) -> list[torch.Tensor]:
    if split not in corpus.data:
        corpus.setup("test" if split == "test" else "fit")
    return [tensor.double() for tensor in corpus.data[split].tensors]


def optimum(features: torch.Tensor, targets: torch.Tensor, std: float) -> float:
    """The least loss of a straight line: half the mean squared error, by the variance."""
    weights, bias = least_squares(features, targets)
    return ((features @ weights + bias - targets).square().mean() / std**2 / 2).item()


def written(tmp_path: Path, num_rows: int = 40) -> Path:
    """A small, right corpus under the root `here`."""
    airfoils.write(tmp_path / "here" / FILE, num_rows=num_rows)
    return tmp_path / "here" / FILE


# The stand-in


def test_one_seed_one_set_of_bytes(tmp_path):
    for name, seed in (("one", 0), ("two", 0), ("other", 1)):
        airfoils.write(tmp_path / name, num_rows=30, seed=seed)
    one, two, other = ((tmp_path / name).read_bytes() for name in ("one", "two", "other"))
    assert one == two
    assert one != other


def test_the_stand_in_is_written_as_the_original(tmp_path):
    content = written(tmp_path, 600).read_bytes()
    assert content.count(b"\r\n") == content.count(b"\n") == 600
    lines = list(csv.reader(content.decode().splitlines(), delimiter="\t"))
    values = np.array(lines, dtype=float)
    assert values.shape == (600, 6)
    np.testing.assert_allclose(values, airfoils.draw(600), rtol=1e-5)
    assert set(values[:, 3]) == set(airfoils.SPEEDS)
    assert 80 < np.median(values[:, 5]) < 140
    assert len({tuple(line) for line in lines}) == 600


def test_a_straight_line_learns_the_stand_in_but_not_all_of_it():
    corpus = Airfoil(synthetic=True)
    features, targets = rows(corpus, "train")
    assert 0.05 < optimum(features, targets, corpus.target_std) < 0.2  # of 0.5, the variance
    weights, bias = least_squares(features, targets)
    held_out, wanted = rows(corpus, "val")
    error = (held_out @ weights + bias - wanted).square().mean()
    assert error < 0.4 * (wanted - targets.mean()).square().mean()
    assert error.sqrt() > 3  # the noise of a measurement


def test_the_stand_in_is_written_once(tmp_path, monkeypatch):
    path = tmp_path / "airfoil.dat"
    path.write_bytes(b"mine")
    airfoils.write(path)
    assert path.read_bytes() == b"mine"
    path.unlink()

    quick = staging.staged

    @contextmanager
    def waited(target):
        with quick(target) as part:
            target.write_bytes(b"another process was quicker")
            yield part

    monkeypatch.setattr(staging, "staged", waited)
    airfoils.write(path)
    assert path.read_bytes() == b"another process was quicker"


def test_several_processes_leave_one_whole_file(tmp_path):
    path = tmp_path / "deep" / "airfoil.dat"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=airfoils.write, args=(path,)) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    airfoils.write(tmp_path / "alone")
    assert path.read_bytes() == (tmp_path / "alone").read_bytes()
    assert {file.name for file in path.parent.iterdir()} <= {path.name, f".{path.name}.lock"}


def test_a_stand_in_that_cannot_be_written_is_not_there(tmp_path, monkeypatch):
    def full(path, content):
        path.open("wb").write(content[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(CorpusError, match="No space left on device"):
        airfoils.write(tmp_path / "airfoil.dat")
    assert not list(tmp_path.rglob("*airfoil.dat*[!k]"))  # but for the lock
    monkeypatch.undo()
    airfoils.write(tmp_path / "airfoil.dat", num_rows=3)
    assert (tmp_path / "airfoil.dat").read_bytes().count(b"\n") == 3


# The corpus


@pytest.mark.parametrize("measure_on", ["held_out", "training"])
def test_line_ends_do_not_matter(measure_on, tmp_path):
    path = written(tmp_path)
    corpora = []
    for old, new in ((b"\r\n", b"\r\n"), (b"\r\n", b"\n"), (b"\n", b"\r")):
        path.write_bytes(path.read_bytes().replace(old, new))
        corpora.append(Airfoil(root=tmp_path / "here", measure_on=measure_on))
    for split in ("train", "val"):
        first, *others = (rows(corpus, split) for corpus in corpora)
        for other in others:
            assert all(map(torch.equal, first, other))


def test_measured_on_the_training_rows_which_are_all(tmp_path):
    written(tmp_path)
    corpus = Airfoil(root=tmp_path / "here", measure_on="training")
    for split in ("train", "val"):
        assert all(map(torch.equal, rows(corpus, split), rows(corpus, "test")))
    features, targets = rows(corpus, "train")
    values = torch.from_numpy(airfoils.draw(40))
    scaled = (values - values.mean(0)) / values.std(0, correction=0)
    torch.testing.assert_close(features, scaled[:, :5], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(targets, values[:, 5], rtol=1e-5, atol=0)
    few = Airfoil(root=tmp_path / "here", measure_on="training", num_rows=15)
    assert torch.equal(rows(few, "train")[0], features[:15])
    assert torch.equal(rows(few, "val")[0], features[:15])


def test_measured_on_rows_held_out(tmp_path):
    written(tmp_path)
    whole = Airfoil(root=tmp_path / "here")
    few = Airfoil(root=tmp_path / "here", num_rows=15)
    assert (len(rows(whole, "train")[0]), len(rows(whole, "val")[0])) == (36, 4)
    assert torch.equal(rows(few, "train")[0], rows(whole, "train")[0][:15])
    assert torch.equal(rows(few, "val")[0], rows(whole, "val")[0])
    with pytest.raises(CorpusError, match="Airfoil has no test rows"):
        whole.setup("test")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_rows": 0}, "num_rows must be at least 1, not 0"),
        ({"measure_on": "training", "fold": 1}, "measure_on is training: set --data.measure_on"),
    ],
)
def test_options_that_cannot_be(options, words):
    with pytest.raises(CorpusError, match=words):
        Airfoil(synthetic=True, **options)


# The command


def test_a_fold_of_rows_that_are_not_held_out_is_refused(capsys):
    """The recipe measures on the training rows: every fold would show the same figure."""
    argv = ["cross-validate", RECIPE, "--data.synthetic", "true", *QUICK, "--folds", "2"]
    assert "set --data.measure_on held_out" in fails(capsys, *argv)
    assert main([*argv, "--data.measure_on", "held_out"]) == 0
    assert "mean" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ": empty: there are no rows"),
        (b"1\t2\t3\t4\t5\t6\n1\t2\t3\n", ", line 2: not 6 cells but 3: the row ends in column ch"),
        (b"1\t2\t3\t4\t5\n", ", line 1: not 6 cells but 5: the row ends in column displacement_t"),
        (b"1 2 3 4 5 6\r\n", ", line 1: not 6 cells but 1: the row ends in column frequency"),
        (b"1\t2\t3\t4\t5\t6\t7\n", ", line 1: not 6 cells but 7: the row goes on after column so"),
        (b"f\ta\tc\tv\tt\ts\n", ", line 1, column sound_pressure: 's' is not a number"),
        (b"1\t2\tx\t4\t5\t6\n", ", line 1, column chord_length: 'x' is not a number"),
        (b"1\t2\t3\t4\t5\t\n", ", line 1, column sound_pressure: '' is not a number"),
    ],
)
def test_a_bad_file_gets_one_line(content, words, tmp_path, capsys):
    written(tmp_path).write_bytes(content)
    line = fails(capsys, "fit", RECIPE, *QUICK, "--data.root", "here")
    assert line.startswith(f"zoo: here/{FILE}{words}")


def test_prepare(tmp_path, capsys):
    assert main(["prepare", "Airfoil", "--synthetic"]) == 0
    assert "Airfoil, synthetic stand-in, 540 train + 60 val rows" in capsys.readouterr().out
    written(tmp_path)
    assert main(["prepare", "Airfoil", "--root", "here"]) == 0
    assert "Airfoil, 36 train + 4 val rows: ready in here" in capsys.readouterr().out


def test_validate_refuses_rows_that_scale_the_features_differently(trained, capsys):
    assert main(["validate", "--ckpt_path", trained]) == 0
    capsys.readouterr()
    line = fails(capsys, "validate", "--ckpt_path", trained, "--data.fold", "1")
    assert "trained on other rows of Airfoil" in line
    assert "synthetic True" in line
    line = fails(capsys, "test", "--ckpt_path", trained)
    assert "Airfoil has no test rows with their answers: measure on those held out with" in line


def test_predict_takes_rows_with_and_without_their_answers(trained, tmp_path, capsys):
    path = written(tmp_path)
    answers = [line.split("\t")[5] for line in path.read_text().splitlines()]
    bare = [line.rpartition("\t")[0] for line in path.read_text().splitlines()]
    Path("bare.dat").write_text("\n".join(bare))
    for file, output in ((path, "with.csv"), ("bare.dat", "without.csv")):
        assert main(["predict", str(file), "--ckpt_path", trained, "--output", output]) == 0
    assert Path("with.csv").read_bytes() == Path("without.csv").read_bytes()
    header, *predicted = csv.reader(Path("with.csv").read_text().splitlines())
    assert header == ["row", "sound_pressure"]
    assert [row for row, _ in predicted] == [str(number) for number in range(1, 41)]
    both = np.array([[float(value) for _, value in predicted], [float(a) for a in answers]])
    assert np.corrcoef(both)[0, 1] > 0.7
    capsys.readouterr()
    assert "name the tables to predict" in fails(capsys, "predict", "--ckpt_path", trained)
    Path("bad.dat").write_text("\n".join([*bare[:3], "1\t2\n"]))
    line = fails(capsys, "predict", "bad.dat", "--ckpt_path", trained)
    assert line.startswith("zoo: bad.dat, line 4: not 5 cells but 2: the row ends in column angle")


# The real file


@pytest.mark.real
def test_the_real_file_and_its_optimum(real_data, tmp_path):
    corpus = Airfoil(root=real_data, measure_on="training")
    features, targets = rows(corpus, "train")
    assert features.shape == (1503, 5)
    torch.testing.assert_close(features.mean(0), torch.zeros(5).double(), rtol=0, atol=1e-5)
    torch.testing.assert_close(features.std(0), torch.ones(5).double(), rtol=1e-3, atol=0)
    assert targets.mean().item() == pytest.approx(corpus.target_mean, rel=1e-6)
    course = Airfoil(root=real_data, measure_on="training", num_rows=1500)
    features, targets = rows(course, "train")
    assert len(features) == len(rows(course, "val")[0]) == 1500
    assert round(optimum(features, targets, course.target_std), 4) == 0.2417
    path = tmp_path / "here" / FILE
    path.parent.mkdir(parents=True)
    path.write_bytes((real_data / FILE).read_bytes().replace(b"\r\n", b"\n"))
    copy = Airfoil(root=tmp_path / "here", measure_on="training", num_rows=1500)
    assert copy.files_exist
    assert all(map(torch.equal, rows(copy, "train"), rows(course, "train")))
    assert [len(rows(Airfoil(root=real_data), split)[0]) for split in ("train", "val")] == [
        1353, 150,
    ]  # fmt: skip


@pytest.mark.real
def test_prepare_takes_over_a_file_fetched_by_hand(real_data, capsys):
    argv = ["prepare", "Airfoil", "--from", str(real_data / FILE), "--root", "root"]
    assert main(argv) == 0
    out = capsys.readouterr().out
    assert "verified: root/airfoil/airfoil_self_noise.dat" in out
    assert "Airfoil, 1,353 train + 150 val rows: ready in root" in out
