"""Linear regression: one weighted sum of the features; trained by descent, or solved outright.

Paper:  Bishop 2006, Pattern Recognition and Machine Learning, Section 3.1, Equations 3.3 and 3.15
Shapes: (batch, 5) -> (batch)
Size:   6 parameters
Config: linear_regression-airfoil, linear_regression-high_dimensional,
        linear_regression-house_prices, linear_regression-synthetic_regression,
        linear_regression_adadelta-airfoil, linear_regression_adagrad-airfoil,
        linear_regression_adam-airfoil, linear_regression_momentum-airfoil,
        linear_regression_nesterov-airfoil, linear_regression_rmsprop-airfoil,
        linear_regression_yogi-airfoil
Result: linear_regression-airfoil: training loss 0.2434 after 2 epochs (real corpus, seed 0,
        2026-11-28: `zoo fit linear_regression-airfoil`)
Result: linear_regression-high_dimensional: norm of the weights 0.0331 after 100 epochs (generated
        corpus, seed 0, 2026-11-28: `zoo fit linear_regression-high_dimensional`)
Result: linear_regression-house_prices: log-RMSE of 5 folds 0.1421 after 100 epochs (real corpus,
        seed 0, 2026-11-28: `zoo cross-validate linear_regression-house_prices`)
Result: linear_regression-synthetic_regression: largest error of a weight 0.000784 after 3 epochs
        (generated corpus, seed 0, 2026-11-28: `zoo fit linear_regression-synthetic_regression`)
Result: linear_regression_adadelta-airfoil: training loss 0.2437 after 2 epochs (real corpus, seed
        0, 2026-11-28: `zoo fit linear_regression_adadelta-airfoil`)
Result: linear_regression_adagrad-airfoil: training loss 0.2427 after 2 epochs (real corpus, seed 0,
        2026-11-28: `zoo fit linear_regression_adagrad-airfoil`)
Result: linear_regression_adam-airfoil: training loss 0.2435 after 2 epochs (real corpus, seed 0,
        2026-11-28: `zoo fit linear_regression_adam-airfoil`)
Result: linear_regression_momentum-airfoil: training loss 0.2434 after 2 epochs (real corpus, seed
        0, 2026-11-28: `zoo fit linear_regression_momentum-airfoil`)
Result: linear_regression_nesterov-airfoil: training loss 0.2432 after 2 epochs (real corpus, seed
        0, 2026-11-28: `zoo fit linear_regression_nesterov-airfoil`)
Result: linear_regression_rmsprop-airfoil: training loss 0.2430 after 2 epochs (real corpus, seed 0,
        2026-11-28: `zoo fit linear_regression_rmsprop-airfoil`)
Result: linear_regression_yogi-airfoil: training loss 0.2435 after 2 epochs (real corpus, seed 0,
        2026-11-28: `zoo fit linear_regression_yogi-airfoil`)
"""

from typing import Any

import torch
from torch import Tensor, nn

from zoo.regression.task import Regressor
from zoo.shapes import Features, Targets


class LinearRegression(Regressor):
    """y = w x + b, with weights from N(0, 0.01^2) as in the course.

    Args:
        in_features: Values in a row.
        task: Arguments of every regressor.
    """

    example_sizes = {"in_features": 5}

    def __init__(self, in_features: int, **task: Any) -> None:
        super().__init__(**task)
        self.save_hyperparameters()
        self.linear = nn.Linear(in_features, 1)
        nn.init.normal_(self.linear.weight, std=0.01)
        nn.init.zeros_(self.linear.bias)

    def forward(self, features: Features) -> Targets:
        return self.linear(features).squeeze(1)


def least_squares(
    features: Tensor, targets: Tensor, weight_decay: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Weights and bias that minimise the mean of half the squared errors, in closed form.

    With `weight_decay` the minimum of that plus weight_decay / 2 |w|^2 (Bishop 2006, Equation
    3.28, per row), where descent with the same weight decay ends too. The bias is not decayed.

    Args:
        features: (batch, features), in any precision, which is the result's.
        targets: (batch).
        weight_decay: Weight decay.

    Returns:
        (features) weights and a bias without dimensions; the shortest of the solutions where
        there are several.
    """
    feature_mean, target_mean = features.mean(dim=0), targets.mean()
    centred, wanted = features - feature_mean, (targets - target_mean).unsqueeze(1)
    if weight_decay:
        ridge = (weight_decay * len(features)) ** 0.5 * torch.eye(features.shape[1]).to(features)
        centred = torch.cat([centred, ridge])
        wanted = torch.cat([wanted, wanted.new_zeros(len(ridge), 1)])
    # gelsd (divide and conquer by singular values) takes matrices of any rank; on the CPU only.
    solution = torch.linalg.lstsq(centred.cpu(), wanted.cpu(), driver="gelsd").solution
    weights = solution.squeeze(1).to(features.device)
    return weights, target_mean - feature_mean @ weights
