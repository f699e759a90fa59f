"""compare: the curves, over epochs, steps and seeds."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure
from PIL import Image

from tests.cli.conftest import COLUMNS, cells, lines, write_csv, write_run, write_seeds
from zoo.cli.compare_runs import compare, draw
from zoo.runs.comparison.series import Curve, _averaged

pytestmark = pytest.mark.usefixtures("wide")


def test_curves_are_a_readable_png(capsys):
    write_run("runs/lenet/1")
    write_run("runs/lenet/2")
    path = compare(["runs/lenet/1", "runs/lenet/2"])
    assert path == Path("runs/lenet/compare.png")
    assert f"curves:   {path}" in capsys.readouterr().out
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert picture.width >= 1000
        assert picture.height >= 400
        # Both runs' colours: the first two of tab10.
        colors = {color for _, color in picture.convert("RGB").getcolors(1 << 20)}
    assert {(31, 119, 180), (255, 127, 14)} <= colors


@pytest.fixture
def panels(monkeypatch):
    """Compares runs; the lines of each panel, x and y, by title, and the figure."""

    def _panels(*runs):
        drawn = []
        monkeypatch.setattr(
            "zoo.cli.compare_runs.draw", lambda *given: drawn.append(draw(*given)) or Figure((1, 1))
        )
        compare(runs)
        return {
            axes.get_title(): [(list(x.get_xdata()), list(x.get_ydata())) for x in axes.lines]
            for axes in drawn[0].axes
        }, drawn[0]

    return _panels


def test_curves_run_over_epochs_in_a_panel_a_quantity(panels):
    write_run("runs/lenet/1", lines([0.5, 0.7]))
    drawn, figure = panels("runs/lenet/1")
    assert list(drawn) == ["loss", "accuracy"]
    train, val = drawn["accuracy"]
    assert train == ([0.5, 1, 1.5, 2], [0.5, 0.5, 0.7, 0.7])
    assert val == ([1, 2], [0.5, 0.7])
    assert figure.axes[0].get_xlabel() == "epoch"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["1", "train", "val"]


def test_curves_run_over_steps_before_an_epoch_is_finished(panels):
    write_run("runs/lenet/1", lines([0.5, 0.7]))
    write_run("runs/lenet/2", lines([0.5])[:2])
    drawn, figure = panels("runs/lenet")
    assert figure.axes[0].get_xlabel() == "step"
    assert drawn["loss"][2][0] == [50, 100]


def test_a_learning_rate_has_its_own_panel_and_no_best(panels, capsys):
    rows = [*lines([0.5]), {"step": 99, "lr-Adam": 0.00025}]
    run = write_run("runs/lenet/1")
    write_csv(run / "metrics.csv", rows, [*COLUMNS, "lr-Adam"])
    drawn, _ = panels(run)
    assert drawn["lr-Adam"][0] == ([1], [0.00025])
    assert cells(capsys.readouterr().out, "lr-Adam") == ["0.00025"]


def test_earlier_tries_come_before_and_repeated_steps_count_once(panels, capsys):
    run = write_run("runs/lenet/job-7", lines([0.8], start=2))
    write_csv(run / "metrics-1.csv", lines([0.5, 0.99]))
    write_csv(run / "metrics-2.csv", lines([0.6], start=1))  # epoch 2 again, from a checkpoint
    write_csv(run / "metrics-10.csv", lines([0.7], start=1))
    drawn, _ = panels("runs/lenet")
    assert drawn["accuracy"][1] == ([1, 2, 3], [0.5, 0.7, 0.8])
    assert cells(capsys.readouterr().out, "epochs") == ["3"]


def test_curves_of_seeds_are_a_mean_in_a_band(panels):
    write_seeds()
    drawn, figure = panels("runs/lenet")
    train, *faint, mean, _, other = drawn["accuracy"]
    assert [values for _, values in faint] == [[0.25, 0.5], [0.25, 0.7], [0.25, 0.6]]
    assert mean == ([1, 2], [0.25, pytest.approx(0.6)])
    assert train[1] == pytest.approx([0.25, 0.25, 0.6, 0.6])
    assert other == ([1], [0.3])
    (band,) = figure.axes[1].collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert heights.min() == pytest.approx(0.25)
    assert heights.max() == pytest.approx(0.7)
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["1, 2, 3 (3 seeds)", "4", "train", "val"]


def test_losses_of_opposed_networks_have_a_panel_each_and_no_best(panels, capsys):
    names = ["loss", "loss_d", "loss_g", "real_score", "frechet_distance"]
    rows = [
        {"epoch": epoch, "step": 99 + 100 * epoch, **{f"val/{name}": 1 + epoch for name in names}}
        for epoch in range(2)
    ]
    run = write_run("runs/dcgan/1")
    write_csv(run / "metrics.csv", rows, ["epoch", "step", *(f"val/{name}" for name in names)])
    drawn, _ = panels(run)
    assert list(drawn)[:5] == ["loss", "loss_d", "loss_g", "frechet_distance", "real_score"]
    text = capsys.readouterr().out
    assert cells(text, "val/loss_g") == ["2.0000"]
    assert cells(text, "val/frechet_distance, best") == ["1.0000 (1)"]
    assert "loss_d, best" not in text
    assert "val/loss, best" not in text


def test_a_mean_is_of_the_epochs_that_two_runs_share_in_their_order():
    curves = [
        Curve(0, "val", epochs, [value] * len(epochs))
        for epochs, value in (([3.0, 4.0], 1.0), ([2.0, 3.0], 3.0), ([1.0, 2.0, 4.0], 5.0))
    ]
    found = _averaged(curves)
    assert found.x == [2, 3, 4]
    assert found.y == [4, 2, 3]
