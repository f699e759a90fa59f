"""The figures of the course: each draws and says what it shows; what they compute; the command."""

import sys
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from matplotlib import style
from matplotlib.figure import Figure
from torch.distributions import Normal

from tests.conftest import ROOT

sys.path.insert(0, str(ROOT))  # scripts is not installed

from scripts.figures import descent, object_detection
from scripts.figures import runs as runs_module
from scripts.figures.__main__ import main
from scripts.figures.catalogue import drawings
from scripts.figures.distribution_shift import (
    confusion,
    importance_weights,
    label_weights,
    scores,
    softmax_regression,
    weighted_line,
)
from scripts.figures.initialization import INITIALIZERS, train_two_units, variance_through_depth
from scripts.figures.page import index
from scripts.figures.runs import MARKER, Runs
from scripts.figures.style import SHEET
from zoo.errors import InputError

DRAWINGS = drawings()
TINY = (
    *("--data.synthetic", "true", "--trainer.max_epochs", "1"),
    *("--trainer.limit_train_batches", "2", "--trainer.limit_val_batches", "1"),
)


@pytest.fixture(autouse=True)
def _in_the_style_of_the_page():
    with style.context(SHEET):
        yield


class NoRuns(Runs):
    def fit(self, recipe, *overrides):
        pytest.skip("needs a run")


def assert_drawn(figure):
    figure.draw_without_rendering()
    assert figure.axes
    for panel in figure.axes:
        titles = [panel.get_title(loc) for loc in ("left", "center", "right")]
        assert any([*titles, panel.get_xlabel(), panel.get_ylabel()])
        assert [*panel.lines, *panel.collections, *panel.patches, *panel.images]


@pytest.mark.parametrize("drawing", DRAWINGS, ids=lambda drawing: drawing.file)
def test_a_figure_draws_with_named_panels_and_own_randomness(drawing):
    before = torch.get_rng_state()
    assert_drawn(drawing.draw(NoRuns(Path("runs"))))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.drawn
@pytest.mark.parametrize("file", ["18-two-variables.png", "18-newton.png"])
def test_a_figure_draws_from_runs(file):
    (drawing,) = (drawing for drawing in DRAWINGS if drawing.file == file)
    assert_drawn(drawing.draw(Runs(Path("runs"))))


@pytest.mark.slow
def test_every_figure_draws():
    runs = Runs(Path("runs"))
    for drawing in DRAWINGS:
        assert_drawn(drawing.draw(runs))


@pytest.mark.parametrize("drawing", DRAWINGS, ids=lambda drawing: drawing.file)
def test_a_figure_says_what_to_see_and_from_what_it_is_made(drawing):
    assert drawing.title
    assert drawing.caption.endswith(".")
    assert drawing.source.startswith("Made from ")


def test_figures_are_found_in_the_order_of_topics_and_source():
    files = [drawing.file for drawing in DRAWINGS]
    assert len(set(files)) == len(files)
    numbers = [drawing.topic[0] for drawing in DRAWINGS]
    assert numbers == sorted(numbers)
    assert {3, 7, 8, 17, 18, 19} <= set(numbers)
    first = files.index("8-variance.png")
    assert files[first : first + 3] == [
        "8-variance.png",
        "8-products.png",
        "8-matrix-products.png",
    ]
    assert "8-importance-weights.png" not in files  # an estimator, not a figure


class Page(HTMLParser):
    """Images by source, and all that a page loads or refers to."""

    def __init__(self, text):
        super().__init__()
        self.alts, self.links, self.tags = {}, set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.tags.add(tag)
        self.links |= {values[name] for name in ("src", "href") if name in values}
        if tag == "img":
            self.alts[values["src"]] = values["alt"]


def test_the_command_draws_and_names_what_it_wrote(capsys):
    assert main(["out/new", "--only", "3"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "out/new/3-activations.png",
        "open out/new/index.html",
    ]
    folder = Path("out/new")
    assert {path.name for path in folder.iterdir()} == {"3-activations.png", "index.html"}
    assert Page((folder / "index.html").read_text()).alts.keys() == {"3-activations.png"}


def test_the_index_names_every_figure_that_exists_and_nothing_from_elsewhere():
    folder = Path()
    for drawing in DRAWINGS[:-1]:
        Figure((1, 1)).savefig(drawing.file)
    page = Page(index(DRAWINGS, folder))
    assert list(page.alts) == [drawing.file for drawing in DRAWINGS[:-1]]
    assert all(page.alts.values())
    assert all(link.startswith("#topic-") or (folder / link).is_file() for link in page.links)
    assert not page.tags & {"script", "link", "iframe"}


def test_earlier_figures_stay_in_the_index():
    Figure((1, 1)).savefig("8-products.png")
    assert main([".", "--only", "3"]) == 0
    page = Page(Path("index.html").read_text())
    assert page.alts.keys() == {"3-activations.png", "8-products.png"}


def test_list_names_topics_and_figures_and_draws_nothing(capsys):
    assert main(["out", "--list", "--only", "8"]) == 0
    text = capsys.readouterr().out
    assert "topic 8: Distribution shift\n" in text
    assert "  8-covariate-shift.png " in text
    assert "17-" not in text
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "99"], "there is no topic 99: choose from 3, "),
        (["--only", "3", "out"], "FOLDER comes before --only"),
        (["--only"], "--only needs a value"),
        (["--onl", "3"], "unrecognized arguments: --onl"),
        (["taken", "--only", "3"], "taken: cannot be written (File exists)"),
        (["taken/below", "--only", "3"], "taken/below: cannot be written (Not a directory)"),
        (
            ["blocked", "--only", "3"],
            "3-activations.png: cannot be written (Is a directory)",
        ),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, message, capsys):
    Path("taken").write_text("")
    Path("blocked/3-activations.png").mkdir(parents=True)
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("figures: ")
    assert message in err
    assert err.count("\n") == 1
    assert not [path for path in Path().rglob("*") if path.name.endswith((".html", ".partial"))]


@pytest.fixture
def fits(monkeypatch):
    """Stands in for the command zoo; the command lines that it was given."""
    lines = []

    def fit(argv):
        lines.append(argv)
        if "--model.wrong=1" in argv:
            print("a warning\nzoo: no option model.wrong", file=sys.stderr)
            return 2
        parent = Path(argv[argv.index("--runs") + 1]) / argv[1]
        (parent / str(len(lines) + 8)).mkdir(parents=True)
        print("noise")
        return 0

    monkeypatch.setattr(runs_module, "main", fit)
    return lines


def test_a_run_is_made_once_in_a_command_and_quietly(fits, capsys):
    runs = Runs(Path("out/runs"))
    assert runs.fit("mlp", "--a.b=1") == Path("out/runs/mlp/9")
    assert runs.fit("mlp") == Path("out/runs/mlp/10")
    assert runs.fit("mlp", "--a.b=1") == Path("out/runs/mlp/9")
    assert [line[:2] + line[-1:] for line in fits] == [
        ["fit", "mlp", "--a.b=1"],
        ["fit", "mlp", "scripts"],  # --allow scripts, for callbacks of its own
    ]
    assert capsys.readouterr() == ("", "")


def test_the_runs_of_an_earlier_command_are_made_anew(fits):
    Runs(Path("runs")).fit("mlp")
    assert Runs(Path("runs")).fit("lenet") == Path("runs/lenet/10")
    assert {path.name for path in Path("runs").iterdir()} == {MARKER, "lenet"}


def test_runs_that_others_made_are_left_alone(fits):
    Path("runs/mlp/1").mkdir(parents=True)
    with pytest.raises(InputError, match=r"^runs: holds files that .* did not make"):
        Runs(Path("runs")).fit("mlp")
    assert Path("runs/mlp/1").is_dir()
    assert not fits


def test_a_run_that_fails_is_one_line(fits):
    with pytest.raises(InputError, match=r"^fit mlp: no option model.wrong$"):
        Runs(Path("runs")).fit("mlp", "--model.wrong=1")


def test_a_recipe_is_trained_and_read(capfd):
    runs = Runs(Path("out/runs"))
    run = runs.fit("softmax_regression-fashion_mnist", *TINY)
    assert run == Path("out/runs/softmax_regression-fashion_mnist/1")
    assert capfd.readouterr().out == ""
    assert any("val/loss" in line for line in runs.metrics(run))
    assert not list(run.glob("wandb*"))


@pytest.mark.drawn
def test_a_trace_is_read_from_start_to_end():
    run = Runs(Path("runs")).fit("surface_parabola-gradient_noise")
    trace = descent.trace_of(run)
    assert trace.shape == (11, 1)
    assert trace[0].item() == 10
    assert trace[-1].item() == pytest.approx(0.060466176, abs=1e-9)


def test_the_clock_stops_while_a_model_is_validated(monkeypatch):
    now, logged = [0.0], []
    monkeypatch.setattr(descent, "perf_counter", lambda: now[0])
    model = SimpleNamespace(log=lambda name, seconds: logged.append((name, seconds)))
    clock = descent.Clock()
    clock.on_validation_start(None, model)  # Lightning's check before the training
    clock.on_validation_end(None, model)
    now[0] = 5.0
    clock.on_train_start(None, model)
    for training, validation in ((1.0, 20.0), (2.0, 30.0)):
        now[0] += training
        clock.on_validation_start(None, model)
        now[0] += validation
        clock.on_validation_end(None, model)
    assert logged[1:] == [("val/seconds", 1.0), ("val/seconds", 3.0)]


def test_airfoil_figures_say_which_corpus_they_use(monkeypatch):
    monkeypatch.setenv("ZOO_DATA", "corpora")
    overrides, words = descent.airfoil()
    assert overrides == ("--data.synthetic=true",)
    assert "synthetic" in words
    Path("corpora/airfoil").mkdir(parents=True)
    Path("corpora/airfoil/airfoil_self_noise.dat").write_text("")
    overrides, words = descent.airfoil()
    assert overrides == ()
    assert "synthetic" not in words


@pytest.mark.real
def test_the_least_loss_on_airfoil_noise(real_data, monkeypatch):
    monkeypatch.setenv("ZOO_DATA", str(real_data))
    assert descent.least_loss(()) == pytest.approx(0.2417, abs=5e-5)


def test_initializations_keep_what_they_promise():
    kaiming, xavier, small = (INITIALIZERS[n][0] for n in ("Kaiming", "Xavier", "N(0, 0.01²)"))
    for values in variance_through_depth(kaiming, torch.relu):
        assert 0.1 < min(values) <= max(values) < 10
    for values in variance_through_depth(xavier, torch.tanh):
        assert 1e-3 < min(values) <= max(values) < 2
    activations, gradients = variance_through_depth(xavier, torch.relu)
    assert activations[-1] == pytest.approx(2**-50, rel=10)
    assert gradients[0] == pytest.approx(2**-50, rel=10)
    activations, _ = variance_through_depth(small, torch.tanh)
    assert activations[2] / activations[3] == pytest.approx(1 / (256 * 0.01**2), rel=0.1)


def test_units_that_start_equal_stay_equal():
    trace, losses = train_two_units(torch.full((2, 2), 0.5), steps=50)
    assert torch.equal(trace[:, 0], trace[:, 1])
    assert not torch.equal(trace[0], trace[-1])
    apart, lower = train_two_units(torch.tensor([[0.5, 0.4], [0.3, 0.5]]), steps=50)
    assert (apart[-1, 0] - apart[-1, 1]).abs().max() > 0.1
    assert lower[-1] < losses[-1]


def gaussians(seed, rows, columns=1):
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(rows, columns, generator=generator, dtype=torch.float64)
    return noise, torch.randn(rows // 2, columns, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("columns", [1, 2])
def test_importance_weights_are_the_density_ratio(columns):
    noise, other = gaussians(0, 8000, columns)
    p, q = Normal(0.5, 0.5), Normal(0.0, 0.3)
    source, target = p.mean + p.stddev * noise, q.mean + q.stddev * other
    weights = importance_weights(source, target)
    true = (q.log_prob(source) - p.log_prob(source)).sum(dim=1).exp()
    assert weights.mean().item() == pytest.approx(1, abs=0.05)
    assert (weights - true).abs().mean().item() < 0.1 * columns


def test_importance_weights_lower_the_error_on_the_target():
    gains = []
    for seed in range(5):
        noise, other = gaussians(seed, 1000)
        source, target = 0.5 + 0.5 * noise, 0.3 * other
        weights = importance_weights(source, target)
        x, test = source.squeeze(1), target.squeeze(1)
        errors = []
        for given in (torch.ones_like(weights), weights):
            intercept, slope = weighted_line(x, x**3 - x, given)
            errors.append((intercept + slope * test - test**3 + test).square().mean())
        gains.append(errors[0] / errors[1])
    assert min(gains) > 5


def test_weighted_line_is_exact_on_a_line_and_ignores_what_weighs_nothing():
    x = torch.tensor([0.0, 1.0, 2.0, 3.0])
    y = torch.tensor([1.0, 3.0, 5.0, 100.0])
    line = weighted_line(x, y, torch.tensor([1.0, 2.0, 3.0, 0.0]))
    torch.testing.assert_close(line, torch.tensor([1.0, 2.0]))


def test_confusion_counts_predictions_in_rows():
    shares = confusion(torch.tensor([0, 0, 1, 2]), torch.tensor([0, 1, 1, 2]), 3)
    assert shares.tolist() == [[0.25, 0.25, 0], [0, 0.25, 0], [0, 0, 0.25]]


def test_label_weights_are_exact_where_the_shares_are():
    p, q = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.1, 0.2, 0.7])
    given_label = torch.tensor([[0.8, 0.1, 0.2], [0.1, 0.7, 0.2], [0.1, 0.2, 0.6]])
    weights = label_weights(given_label * p, given_label @ q)
    torch.testing.assert_close(weights * p, q)


def test_label_weights_refuse_a_classifier_that_tells_nothing_apart():
    with pytest.raises(torch.linalg.LinAlgError):
        label_weights(torch.full((2, 2), 0.25), torch.tensor([0.5, 0.5]))


def test_label_weights_recover_the_label_distribution_and_raise_accuracy():
    generator = torch.Generator().manual_seed(0)
    p, q = torch.tensor([0.7, 0.3]), torch.tensor([0.2, 0.8])

    def draw(distribution):
        labels = distribution.multinomial(5000, replacement=True, generator=generator)
        noise = torch.randn(5000, 1, generator=generator)
        return 2.0 * labels.unsqueeze(1) + noise, labels

    (x, y), (held_out, held_out_y), (test, test_y) = draw(p), draw(p), draw(q)
    before = softmax_regression(x, y, 2)
    predicted = scores(test, before).argmax(dim=1)
    shares = confusion(scores(held_out, before).argmax(dim=1), held_out_y, 2)
    weights = label_weights(shares, predicted.bincount(minlength=2) / len(test))
    torch.testing.assert_close(weights * p, q, atol=0.03, rtol=0)
    after = softmax_regression(x, y, 2, weights[y])
    hits = [(scores(test, m).argmax(dim=1) == test_y).float().mean() for m in (before, after)]
    assert hits[1] > hits[0] + 0.02


def words(figure):
    """All texts of a figure, panel by panel."""
    texts = [[text.get_text() for text in panel.texts] for panel in figure.axes]
    return [panel.get_title("left") for panel in figure.axes], texts


def test_boxes_are_the_courses():
    titles, _ = words(object_detection.overlaps(NoRuns(Path("runs"))))
    assert [title.rpartition(" ")[2] for title in titles[:5]] == [
        *("0.0536", "0.1417", "0.5657", "0.2059", "0.7459"),
    ]
    _, (_, table) = words(object_detection.targets(NoRuns(Path("runs"))))
    finds = [text for text in table if text in ("dog", "cat", "nothing")]
    assert finds[:5] == ["nothing", "dog", "cat", "nothing", "cat"]
    _, texts = words(object_detection.suppression(NoRuns(Path("runs"))))
    before, after = (sorted(text.split(" (")[0] for text in panel) for panel in texts)
    assert before == ["cat 0.9", "dog 0.7", "dog 0.8", "dog 0.9"]
    assert after == ["cat 0.9", "dog 0.9"]
