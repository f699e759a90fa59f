"""A function whose parameter is the point: every experiment of descent is an ordinary recipe.

Batch: (noise,)

Paper:  Cauchy 1847, Méthode générale pour la résolution des systèmes d'équations simultanées,
        Comptes rendus 25, pages 536-538
Shapes: (batch, 2) -> ()
Size:   2 parameters
Config: surface-gradient_noise, surface_adadelta-gradient_noise, surface_adagrad-gradient_noise,
        surface_adam-gradient_noise, surface_momentum-gradient_noise,
        surface_newton-gradient_noise, surface_parabola-gradient_noise,
        surface_projected-gradient_noise, surface_rmsprop-gradient_noise,
        surface_stochastic-gradient_noise, surface_waves-gradient_noise,
        surface_yogi-gradient_noise
Result: surface-gradient_noise: f 0.0033 after 20 steps (generated corpus, seed 0, 2026-11-28: `zoo
        fit surface-gradient_noise`)
Result: surface_adadelta-gradient_noise: f 6.06e-05 after 50 steps (generated corpus, seed 0,
        2026-11-28: `zoo fit surface_adadelta-gradient_noise`)
Result: surface_adagrad-gradient_noise: f 0.6180 after 20 steps (generated corpus, seed 0,
        2026-11-28: `zoo fit surface_adagrad-gradient_noise`)
Result: surface_adam-gradient_noise: f 0.0329 after 50 steps (generated corpus, seed 0, 2026-11-28:
        `zoo fit surface_adam-gradient_noise`)
Result: surface_momentum-gradient_noise: f 0.000398 after 20 steps (generated corpus, seed 0,
        2026-11-28: `zoo fit surface_momentum-gradient_noise`)
Result: surface_newton-gradient_noise: f 1.0000 after 10 steps (generated corpus, seed 0,
        2026-11-28: `zoo fit surface_newton-gradient_noise`)
Result: surface_parabola-gradient_noise: f 0.0037 after 10 steps (generated corpus, seed 0,
        2026-11-28: `zoo fit surface_parabola-gradient_noise`)
Result: surface_projected-gradient_noise: f 0.6667 after 20 steps (generated corpus, seed 0,
        2026-11-28: `zoo fit surface_projected-gradient_noise`)
Result: surface_rmsprop-gradient_noise: f 1.12e-05 after 20 steps (generated corpus, seed 0,
        2026-11-28: `zoo fit surface_rmsprop-gradient_noise`)
Result: surface_stochastic-gradient_noise: f 0.0197 after 50 steps (generated corpus, seed 0,
        2026-11-28: `zoo fit surface_stochastic-gradient_noise`)
Result: surface_waves-gradient_noise: f -1.1488 after 10 steps (generated corpus, seed 0,
        2026-11-28: `zoo fit surface_waves-gradient_noise`)
Result: surface_yogi-gradient_noise: f 0.0337 after 50 steps (generated corpus, seed 0, 2026-11-28:
        `zoo fit surface_yogi-gradient_noise`)
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch import Callback
from torch import Tensor, nn

from zoo.errors import InputError
from zoo.optimization.functions import FUNCTIONS
from zoo.optimization.pictures import DescentPictures
from zoo.optimization.projections import project_ball, project_box, project_simplex
from zoo.shapes import Features
from zoo.task import Step, Task


class Surface(Task):
    """f(x) at the point x, to be minimised from a start, perhaps within a convex set.

    A step's gradient is that of f plus the mean of the batch's noise. Projected descent goes to
    the nearest point of the set after each step (Bertsekas 1999, Section 2.3).

    Args:
        function: Its name in `functions.FUNCTIONS`, to which Python may add one's own.
        dimensions: Variables for which the corpus draws noise.
        start: Where to begin, or outside the set the point of it that is nearest; by default where
            the course begins.
        within: The set to stay in; by default none.
        radius: Of the ball around the origin; sum of the coordinates on the simplex.
        low: Of each coordinate in the box.
        high: Of each coordinate in the box.
        task: Arguments of every task.
    """

    example_sizes = {"dimensions": 2}
    metric_names = ("value",)
    not_exported = "is a point on a surface and reads no input"

    def __init__(
        self,
        function: str = "ellipse",
        dimensions: int = 2,
        start: Sequence[float] | None = None,
        within: Literal["ball", "box", "simplex"] | None = None,
        radius: float = 1.0,
        low: float = -1.0,
        high: float = 1.0,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        self.save_hyperparameters()
        if function not in FUNCTIONS:
            raise InputError(f"no function is called {function}; there are: {', '.join(FUNCTIONS)}")
        self.function = FUNCTIONS[function]
        point = torch.tensor(start or self.function.start)
        if len(point) != len(self.function.start) or len(point) != dimensions:
            raise InputError(
                f"{function} has {len(self.function.start)} variables, the start {len(point)}, and "
                f"the noise {dimensions}: --data.dimensions {len(self.function.start)}"
            )
        sets: dict[str, Callable[[Tensor], Tensor]] = {
            "ball": partial(project_ball, radius=radius),
            "box": partial(project_box, low=low, high=high),
            "simplex": partial(project_simplex, total=radius),
        }
        self.project = sets[within] if within else None
        self.point = nn.Parameter(point)

    def forward(self, noise: Features) -> Tensor:
        return self.value(self.point)

    def value(self, point: Tensor) -> Tensor:
        """The function at points (..., dimensions) -> (...)."""
        return self.function.value(*point.unbind(-1))

    @classmethod
    def example(cls, rows: int = 1) -> tuple[Features]:
        return (torch.randn(rows, cls.example_sizes["dimensions"]),)

    def step(self, batch: tuple[Features]) -> Step:
        (noise,) = batch
        value = self(noise)
        return Step(
            loss=value + (noise.mean(dim=0) * self.point).sum(),
            size=len(noise),
            sums={"value": value * len(noise)},
            predictions=value.detach(),
        )

    def on_fit_start(self) -> None:
        super().on_fit_start()
        self._stay_within()  # the start too, in the precision of the run

    def optimizer_step(self, *args: Any, **options: Any) -> None:
        super().optimizer_step(*args, **options)
        self._stay_within()

    def _stay_within(self) -> None:
        if self.project:
            with torch.no_grad():
                self.point.copy_(self.project(self.point))

    def pictures(self, folder: Path) -> list[Callback]:
        return [DescentPictures(folder)]
