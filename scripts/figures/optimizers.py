"""Topic 19: optimizers that remember gradients, and learning rates that follow a schedule."""

import fnmatch
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from matplotlib.figure import Figure
from torch.optim.lr_scheduler import LRScheduler, MultiStepLR

from scripts.figures.descent import PLAIN, airfoil, descend, draw_descent, least_loss, value
from scripts.figures.runs import Runs
from scripts.figures.style import BLUE, GREEN, GREY, INK, NOTE, ORANGE, POINT, RED, mark, sheet
from zoo.catalogue import recipes
from zoo.optimizers.schedules import FactorLR, SquareRootLR, WarmupCosineLR
from zoo.optimizers.sgd import SGD

TOPIC = (19, "Optimizers")


def convergence(runs: Runs) -> Figure:
    """Gradient descent shrinks each direction by its own factor.

    Along an eigenvector of the Hessian with eigenvalue λ a step multiplies the distance by 1 - ηλ.
    One rate has to serve all: on the left λ = 0.1 is still on its way, while λ = 19 swings about
    the minimum and λ = 20.5 diverges. On the right the steep direction of a valley allows no rate
    above 0.5, and the best for both directions still leaves nine tenths of the distance.

    Made from (1 - ηλ)ᵗ with η = 0.1, and |1 - ηλ| for the eigenvalues 0.2 and 4 of the Hessian of
    0.1x₁² + 2x₂².
    """
    figure, (left, right) = sheet(1, 2, 4)
    steps = torch.arange(21)
    for curvature, color in ((0.1, GREY), (1, BLUE), (10, GREEN), (19, ORANGE), (20.5, RED)):
        distances = (1 - 0.1 * curvature) ** steps
        left.plot(steps, distances, color=color, marker=".", linewidth=1.3, label=f"{curvature:g}")
    left.set(ylim=(-3, 4), xticks=(0, 5, 10, 15, 20))
    left.set(title="distance from the minimum, η = 0.1", xlabel="step t", ylabel="(1 - ηλ)ᵗ")
    left.legend(loc="upper left", ncols=5, title="eigenvalue λ", alignment="left")

    rates = torch.linspace(0, 0.6, 301)
    slow, fast = (1 - 0.2 * rates).abs(), (1 - 4 * rates).abs()
    right.axhline(1, color=GREY, linewidth=1, linestyle="--")
    right.plot(rates, slow, color=BLUE, linewidth=2, label="λ = 0.2")
    right.plot(rates, fast, color=ORANGE, linewidth=2, label="λ = 4")
    best = 2 / (0.2 + 4)
    text = f"best for both:\nη = {best:.3f},\nfactor {1 - 0.2 * best:.3f}"
    mark(right, best, 1 - 0.2 * best, text, (-85, -35), GREEN)
    right.set(ylim=(0, 1.5), xlabel="learning rate η", ylabel="|1 - ηλ|")
    right.set_title("what a step leaves, in the valley")
    right.legend(loc="upper left")
    return figure


def momentum_weights(runs: Runs) -> Figure:
    """How long momentum remembers a gradient.

    In the velocity a gradient that is t steps old has the weight βᵗ: at β = 0 only the newest
    counts, at 0.95 the last twenty or so do. All weights together add up to 1 / (1 - β), by which
    steps in a steady direction grow.

    Made from the velocity of `zoo.optimizers.sgd.SGD` after one gradient of 1 and then none.
    """
    figure, (panel,) = sheet(1, 1, 3.8)
    for beta, color in ((0.95, RED), (0.9, ORANGE), (0.6, GREEN), (0.0, BLUE)):
        parameter = torch.zeros(1, dtype=torch.float64, requires_grad=True)
        optimizer = SGD([parameter], lr=1.0, momentum=beta)
        moves = []
        for gradient in (1.0, *[0.0] * 39):
            before = parameter.item()
            parameter.grad = torch.full_like(parameter, gradient)
            optimizer.step()
            moves.append(before - parameter.item())
        label = f"β = {beta:g}, sum {1 / (1 - beta):.3g}"
        panel.plot(moves, color=color, marker=".", linewidth=1.5, label=label)
    panel.set(title="weight of a gradient in the velocity", xlabel="age in steps", ylabel="weight")
    panel.legend()
    return figure


def valley(runs: Runs) -> Figure:
    """Twelve ways through a valley that is flat along and steep across.

    Plain descent crawls along the valley, and a somewhat larger rate throws it out. Momentum
    averages the swings across away and bears that rate; Nesterov's look ahead bears less, 0.2 but
    not 0.4. AdaGrad's rates fall so soon that it needs a large one, RMSProp, which forgets, does
    not, and AdaDelta needs none. Adam and Yogi gather speed and overshoot at first.

    Made from runs of `surface-gradient_noise` and `surface_*-gradient_noise`: 20 steps from
    (-5, -2) on 0.1x₁² + 2x₂²; the note is its value at the end.
    """
    figure, panels = sheet(4, 3, 9.4)
    ways = (
        ("gradient descent, lr 0.4", "surface", 0.4),
        ("gradient descent, lr 0.6", "surface", 0.6),
        ("momentum 0.5, lr 0.4", "surface_momentum", 0.4),
        ("momentum 0.5, lr 0.6", "surface_momentum", 0.6),
        ("Nesterov 0.5, lr 0.2", "surface_momentum", 0.2),
        ("Nesterov 0.5, lr 0.4", "surface_momentum", 0.4),
        ("AdaGrad, lr 0.4", "surface_adagrad", 0.4),
        ("AdaGrad, lr 2", "surface_adagrad", 2.0),
        ("RMSProp, lr 0.4", "surface_rmsprop", 0.4),
        ("AdaDelta", "surface_adadelta", 1.0),
        ("Adam, lr 0.4", "surface_adam", 0.4),
        ("Yogi, lr 0.4", "surface_yogi", 0.4),
    )
    given: dict[str, Any] = {"function": "valley", "num_steps": 20}
    for place, (panel, (title, model, lr)) in enumerate(zip(panels, ways, strict=True)):
        looks_ahead = ["--model.optimizer.nesterov=true"] * title.startswith("Nesterov")
        trace = descend(runs, model, *looks_ahead, lr=lr, **given)
        draw_descent(panel, "valley", trace, title)
        panel.set(xlabel="x₁" if place > 8 else "", ylabel="" if place % 3 else "x₂")
        panel.plot(*trace[-1], color=GREEN, zorder=5, **POINT)
        end = f"f = {value('valley', trace[-1]).item():.2g}"
        panel.text(0.97, 0.06, end, transform=panel.transAxes, ha="right", bbox=PLAIN, **NOTE)
    return figure


def airfoil_losses(runs: Runs) -> Figure:
    """Every optimizer of the zoo on airfoil noise, against the lowest loss that there is.

    In two epochs all come within a hundredth of the least squares solution (dashed), which no
    linear regression beats. Curves that stay restless have a large rate for the noise of ten rows.

    Made from the recipes `linear_regression*-airfoil` on the real corpus, or its stand-in where it
    is not there (the first title says which); the loss on all training rows after every 15 steps.
    The optimum is that of `zoo.regression.linear_regression.least_squares`.
    """
    overrides, corpus = airfoil()
    names = fnmatch.filter(recipes(), "linear_regression*-airfoil")
    figure, panels = sheet(-(-len(names) // 4), 4, 5.4, sharex=True, sharey=True)
    made = [runs.fit(recipe, "--trainer.val_check_interval=0.1", *overrides) for recipe in names]
    lowest = least_loss(overrides)
    for panel, recipe, run in zip(panels, names, made, strict=False):
        losses = [line["val/loss"] for line in runs.metrics(run) if "val/loss" in line]
        panel.plot([0.1 * (i + 1) for i in range(len(losses))], losses, color=BLUE, linewidth=2)
        panel.axhline(lowest, color=GREY, linewidth=1, linestyle="--")
        optimizer = recipes()[recipe].config["model"]["init_args"]["optimizer"]
        settings = [f"{key} {given}".lower() for key, given in optimizer["init_args"].items()]
        text = "\n".join([*settings, f"ends at {losses[-1]:.4f}"])
        at: dict[str, Any] = {"transform": panel.transAxes, "ha": "right", "va": "top"}
        panel.text(0.97, 0.95, text, **at, bbox=PLAIN, **NOTE)
        panel.set(title=optimizer["class_path"].rpartition(".")[2])
    for panel in panels[-4:]:
        panel.set_xlabel("epoch")
    for panel in panels[len(names) :]:
        panel.remove()
    for panel in panels[::4]:
        panel.set_ylabel("loss")
    panels[0].set(xticks=(0, 1, 2), ylim=(lowest - 0.006, lowest + 0.08))
    title = f"{corpus}; least squares: {lowest:.4f}"
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, color=INK)
    return figure


def schedules(runs: Runs) -> Figure:
    """Schedules: how the learning rate falls over a run, and how it may begin.

    The square root falls at once, and then ever more slowly; the factor by the same share each
    time; multi-step in jumps. The cosine is gentle at both ends; a warm-up spares weights that
    were just drawn the full rate.

    Made from the schedules of `zoo.optimizers.schedules` and torch's `MultiStepLR`, stepped on an
    SGD with a rate of 0.3: rate 1, factor 0.9, milestones 15 and 30 by 0.5, cosine over 20 steps
    down to 0.01, without and with 5 steps of warm-up.
    """
    figure, panels = sheet(1, 4, 3.5, sharey=True)
    cosine = partial(WarmupCosineLR, total_steps=20, final_lr=0.01)
    kinds: dict[str, tuple[tuple[str, Callable[..., LRScheduler], str], ...]] = {
        "square root": (("", SquareRootLR, BLUE),),
        "factor 0.9": (("", partial(FactorLR, factor=0.9), BLUE),),
        "multi-step": (("", partial(MultiStepLR, milestones=[15, 30], gamma=0.5), BLUE),),
        "cosine": (
            ("without warm-up", cosine, BLUE),
            ("with warm-up", partial(cosine, warmup_steps=5), ORANGE),
        ),
    }
    for panel, (title, lines) in zip(panels, kinds.items(), strict=True):
        for label, schedule, color in lines:
            optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
            scheduler, rates = schedule(optimizer), []
            for _ in range(40):
                rates.append(optimizer.param_groups[0]["lr"])
                optimizer.step()
                scheduler.step()
            panel.step(range(len(rates)), rates, where="post", color=color, lw=2, label=label)
        panel.set(title=title, xlabel="step")
    panels[0].set(ylim=(0, 0.38), ylabel="learning rate")
    panels[-1].legend(loc="upper right")
    return figure
