"""Topic 8: when training and use differ: covariate shift, label shift and concept shift.

Source: Zhang et al., Dive into Deep Learning, section 4.7.
"""

from math import pi

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.distributions import Normal
from torch.nn import functional
from torchmetrics.functional.classification import multiclass_confusion_matrix

from scripts.figures.runs import Runs
from scripts.figures.style import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, RED, sheet

TOPIC = (8, "Distribution shift")


def softmax_regression(
    features: Tensor, labels: Tensor, num_classes: int, weights: Tensor | None = None
) -> Tensor:
    """Fits softmax regression, a point counting as much as its weight says.

    Args:
        features: (points, features).
        labels: Classes, (points,).
        num_classes: How many classes there are.
        weights: Of the points, (points,); all the same by default.

    Returns:
        Coefficients (1 + features, classes), the biases in the first row.
    """
    weights = torch.ones(len(labels), dtype=features.dtype) if weights is None else weights
    coefficients = features.new_zeros(1 + features.shape[1], num_classes, requires_grad=True)
    optimizer = torch.optim.LBFGS([coefficients], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        losses = functional.cross_entropy(scores(features, coefficients), labels, reduction="none")
        # The small penalty keeps classes that a line separates from infinite coefficients.
        loss = (weights * losses).sum() / weights.sum() + 1e-5 * coefficients.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return coefficients.detach()


def scores(features: Tensor, coefficients: Tensor) -> Tensor:
    """Logits (points, classes) of a fitted softmax regression."""
    return coefficients[0] + features @ coefficients[1:]


def importance_weights(source: Tensor, target: Tensor) -> Tensor:
    """The density ratio q(x) / p(x) at the source points, from a classifier of source and target.

    The odds that a point is from the target, times the ratio of the sample sizes, are q(x) / p(x).
    The logits are quadratic in each feature, which is exact for independent Gaussians.

    Source: Shimodaira 2000, Journal of Statistical Planning and Inference 90, for the use of the
    ratio; Sugiyama, Suzuki and Kanamori 2012, Density Ratio Estimation in Machine Learning, for
    its estimation by logistic regression.

    Args:
        source: Points from p, (points, features).
        target: Points from q, (points, features); no labels are needed.

    Returns:
        Weights (source points,).
    """
    points = torch.cat([source, target])
    standard = (points - points.mean(dim=0)) / points.std(dim=0)
    features = torch.cat([standard, standard.square()], dim=1)
    labels = torch.arange(2).repeat_interleave(torch.tensor([len(source), len(target)]))
    logits = scores(features[: len(source)], softmax_regression(features, labels, 2))
    return (logits[:, 1] - logits[:, 0]).exp() * len(source) / len(target)


def weighted_line(x: Tensor, y: Tensor, weights: Tensor) -> Tensor:
    """Intercept and slope of the line with the least weighted squared error."""
    design = torch.stack([torch.ones_like(x), x], dim=1) * weights.sqrt().unsqueeze(1)
    return torch.linalg.lstsq(design, weights.sqrt() * y).solution


def confusion(predictions: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Shares of the points (predicted class, true class); they add up to one."""
    return multiclass_confusion_matrix(predictions, labels, num_classes, normalize="all").T


def label_weights(shares: Tensor, predicted: Tensor) -> Tensor:
    """The ratio q(y) / p(y) of the label distributions of target and source.

    Where only the label distribution differs, a class is mistaken for another as often as before.
    The predictions on the target are then distributed as C w: solve for w.

    Source: Lipton, Wang and Smola 2018, https://arxiv.org/abs/1802.03916.

    Args:
        shares: C, of held-out source points: (predicted class, true class).
        predicted: Distribution of the predictions on the target, (classes,).

    Returns:
        Weights (classes,), never negative.

    Raises:
        torch.linalg.LinAlgError: C is singular: the classifier does not tell the classes apart.
    """
    return torch.linalg.solve(shares, predicted).clamp(min=0)


def covariate_shift(runs: Runs) -> Figure:
    """Covariate shift: the inputs move, the law behind the labels stays.

    A line fitted where the training inputs are (grey) is wrong where the test inputs are (orange).
    Weighting each training point by β(x) = q(x)/p(x), estimated without any test label, moves
    the fit to where it will be used, and the test error falls.

    Made from y = x³ - x + N(0, 0.2²), 500 training inputs from p = N(0.5, 0.5²) and 500 test
    inputs from q = N(0, 0.3²); β by logistic regression on x and x².
    """
    figure, (inputs, ratio, fit) = sheet(1, 3, 4.2)
    generator = torch.Generator().manual_seed(0)
    p, q = Normal(0.5, 0.5), Normal(0.0, 0.3)
    noise = torch.randn(4, 500, generator=generator, dtype=torch.float64)
    source, target = p.mean + p.stddev * noise[0], q.mean + q.stddev * noise[1]
    grid = torch.linspace(-1, 2, 301, dtype=torch.float64)

    for points, law, color, label in (
        (source, p, GREY, "training, p"),
        (target, q, ORANGE, "test, q"),
    ):
        inputs.hist(points, bins=25, density=True, color=color, alpha=0.45)
        inputs.plot(grid, law.log_prob(grid).exp(), color=color, linewidth=2, label=label)
    inputs.set(title="inputs", xlabel="x", ylabel="density")
    inputs.legend()

    weights = importance_weights(source.unsqueeze(1), target.unsqueeze(1))
    order = source.argsort()
    true = (q.log_prob(source) - p.log_prob(source)).exp()
    ratio.plot(source[order], true[order], color=INK, linestyle="--", label="true")
    ratio.plot(source[order], weights[order], color=PURPLE, linewidth=2, label="estimated")
    ratio.set(xlim=(-1, 2), title="weights β(x)", xlabel="x", ylabel="q(x) / p(x)")
    ratio.legend()

    labels, test_labels = (
        x**3 - x + 0.2 * error for x, error in ((source, noise[2]), (target, noise[3]))
    )
    fit.scatter(source, labels, s=6, color=GREY, alpha=0.5, linewidths=0)
    fit.scatter(target, test_labels, s=6, color=ORANGE, alpha=0.5, linewidths=0)
    fit.plot(grid, grid**3 - grid, color=INK, linewidth=1.2, linestyle=":")
    for title, given, color in (
        ("unweighted", torch.ones_like(weights), RED),
        ("weighted", weights, GREEN),
    ):
        intercept, slope = weighted_line(source, labels, given)
        error = (intercept + slope * target - test_labels).square().mean()
        label = f"{title}: {error:.3f}"
        fit.plot(grid, intercept + slope * grid, color=color, linewidth=2, label=label)
    fit.set(xlim=(-1, 2), ylim=(-1.1, 3))
    fit.set(title="lines for y = x³ - x + noise", xlabel="x", ylabel="y")
    fit.legend(loc="upper left", title="test error", alignment="left")
    return figure


def label_shift(runs: Runs) -> Figure:
    """Label shift: the classes become more or less frequent, each looks as before.

    From the confusion matrix on held-out data and the predictions on unlabelled test points alone,
    the new label distribution is found: the predictions counted as they are mislead. Trained again
    with the weights q(y)/p(y), the classifier is right more often.

    Made from three overlapping Gaussian classes in the plane, 5,000 points each to train, to
    validate and to test; softmax regression; the weights w solve C w = μ.
    """
    figure, (matrix, bars, accuracy) = sheet(1, 3, 3.9, width_ratios=(1, 1.25, 1))
    generator = torch.Generator().manual_seed(0)
    centres = torch.tensor([[0.0, 1.2], [-1.1, -0.6], [1.1, -0.6]])
    p, q = torch.tensor([0.6, 0.3, 0.1]), torch.tensor([0.1, 0.2, 0.7])

    def draw(distribution: Tensor) -> tuple[Tensor, Tensor]:
        labels = distribution.multinomial(5000, replacement=True, generator=generator)
        return centres[labels] + torch.randn(5000, 2, generator=generator), labels

    (x, y), (validation, validation_y), (test, test_y) = draw(p), draw(p), draw(q)
    before = softmax_regression(x, y, 3)
    shares = confusion(scores(validation, before).argmax(dim=1), validation_y, 3)
    predictions = scores(test, before).argmax(dim=1)
    mu = predictions.bincount(minlength=3) / len(test)
    weights = label_weights(shares, mu)
    after = softmax_regression(x, y, 3, weights[y])

    matrix.imshow(shares, cmap="Blues", vmin=0, vmax=0.6, aspect="auto")
    matrix.grid(visible=False)
    for row, column in torch.cartesian_prod(torch.arange(3), torch.arange(3)).tolist():
        share = shares[row, column].item()
        color = "white" if share > 0.3 else INK
        matrix.text(column, row, f"{share:.3f}", ha="center", va="center", color=color)
    matrix.set_xticks(range(3), list("ABC"))
    matrix.set_yticks(range(3), list("ABC"))
    matrix.set(title="C on validation points", xlabel="true class", ylabel="predicted class")

    rows = (
        ("training, p", p, GREY),
        ("test as predicted, μ", mu, RED),
        ("test as estimated, w p", weights * y.bincount(minlength=3) / len(y), GREEN),
        ("test, q", q, INK),
    )
    for place, (label, values, color) in enumerate(rows):
        positions = [index + 0.2 * (place - 1.5) for index in range(3)]
        bars.bar(positions, values, width=0.18, color=color, label=label)
    bars.set_xticks(range(3), list("ABC"))
    bars.set_ylim(0, 1)
    bars.grid(visible=False, axis="x")
    bars.set(title="label distributions", xlabel="class", ylabel="share")
    bars.legend(loc="upper center")

    right = [scores(test, model).argmax(dim=1) == test_y for model in (before, after)]
    hits = [row.float().mean().item() for row in right]
    accuracy.bar(["before", "after"], hits, width=0.5, color=(RED, GREEN))
    for place, hit in enumerate(hits):
        accuracy.text(place, hit + 0.02, f"{hit:.3f}", ha="center", color=INK)
    accuracy.set_ylim(0, 1)
    accuracy.grid(visible=False, axis="x")
    accuracy.set(title="test accuracy", xlabel="correction")
    return figure


def concept_shift(runs: Runs) -> Figure:
    """Concept shift: what a label means drifts, and a model that stands still decays.

    The line between the two classes turns by four degrees a month. The model of month 0 ends where
    guessing is; one that is trained again each month, on the month before, stays useful.

    Made from 400 points a month from N(0, 1)², labelled by the turning line; logistic regression,
    tested on each month before it is trained on it.
    """
    figure, (plane, accuracy) = sheet(1, 2, 4.2, width_ratios=(1, 1.35))
    generator = torch.Generator().manual_seed(0)
    months = range(25)
    angles = [month * 4 * pi / 180 for month in months]
    normals = torch.tensor([[torch.cos(a), torch.sin(a)] for a in torch.tensor(angles)])
    points = torch.randn(len(months), 400, 2, generator=generator)
    labels = [(points[month] @ normals[month] > 0).long() for month in months]
    models = [softmax_regression(points[month], labels[month], 2) for month in months]

    def share_right(model: Tensor, month: int) -> float:
        right = scores(points[month], model).argmax(dim=1) == labels[month]
        return right.float().mean().item()

    for color, value in ((BLUE, 0), (ORANGE, 1)):
        x, y = points[0][labels[0] == value].T
        plane.scatter(x, y, s=8, color=color, alpha=0.5, linewidths=0)
    for month in months[::6]:
        x, y = 3 * normals[month].flip(0) * torch.tensor([-1, 1])
        plane.plot((-x, x), (-y, y), color=INK, alpha=1 - month / 32, linewidth=2)
        plane.text(1.12 * x, 1.12 * y, str(month), ha="center", va="center", color=INK)
    plane.set(xlim=(-3.8, 3.8), ylim=(-3.8, 3.8))
    plane.set_aspect("equal", anchor="NW")
    plane.set(title="points of month 0, the rule at 0, 6, ... 24", xlabel="$x_1$", ylabel="$x_2$")

    later = months[1:]
    fixed = [share_right(models[0], month) for month in later]
    kept = [share_right(models[month - 1], month) for month in later]
    accuracy.axhline(0.5, color=GREY, linewidth=1, linestyle="--")
    for values, color, label in (
        (kept, GREEN, "trained every month"),
        (fixed, RED, "trained once, in month 0"),
    ):
        accuracy.plot(later, values, color=color, marker=".", linewidth=2, label=label)
    accuracy.set(ylim=(0.4, 1.02), xticks=months[::6])
    accuracy.set(title="accuracy on the new month", xlabel="month", ylabel="accuracy")
    accuracy.legend(loc="lower left")
    return figure
