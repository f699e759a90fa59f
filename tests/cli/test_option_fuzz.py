"""Options and settings that are wrong in many ways, by seed: a line or a run, never a traceback."""

import inspect
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from lightning.pytorch import Trainer

from zoo.catalogue import recipes
from zoo.cli.main import main

RECIPES = ("softmax_regression-fashion_mnist", "gru-time_machine", "gan-gaussian2d")
SMALL = [
    *("--data.synthetic=true", "--trainer.accelerator=cpu", "--trainer.max_epochs=1"),
    *("--trainer.limit_train_batches=2", "--trainer.limit_val_batches=1"),
]
VALUES = [
    *("0", "-1", "1", "2", "0.5", "1.5", "nan", "inf", "-inf", "1e400", "null", "true", "false"),
    *("[]", "{}", "x", "", "[1, 2]", "[[1]]", "{a: 1}", "1,2", "../x", "3 4", "{class_path: X}"),
]
ALONE = {"devices", "num_nodes", "strategy", "accelerator", "use_distributed_sampler"}
CLASSES = {
    "trainer.callbacks": [
        *("EarlyStopping", "ModelCheckpoint", "LearningRateMonitor", "Timer", "ModelSummary"),
        *(
            "GradientAccumulationScheduler",
            "BackboneFinetuning",
            "WeightAveraging",
            "Callback",
            "X",
        ),
    ],
    "trainer.logger": ["CSVLogger", "TensorBoardLogger", "MLFlowLogger", "Logger", "X"],
    "model.optimizer": ["SGD", "Adam", "LBFGS", "SparseAdam", "Muon", "Optimizer", "Sgd"],
    "model.lr_scheduler": [
        *("StepLR", "MultiStepLR", "OneCycleLR", "LambdaLR", "ReduceLROnPlateau", "SequentialLR"),
        *("CosineAnnealingLR", "CyclicLR", "ConstantLR", "LRScheduler", "Step"),
    ],
}
ARGUMENTS = {
    "trainer.callbacks": [
        "monitor",
        "patience",
        "duration",
        "every_n_epochs",
        "mode",
        "scheduling",
    ],
    "trainer.logger": ["save_dir", "name", "experiment_name"],
    "model.optimizer": ["lr", "momentum", "betas", "weight_decay", "foreach", "learning_rate"],
    "model.lr_scheduler": ["step_size", "gamma", "max_lr", "total_steps", "T_max", "milestones"],
}
ENDS = {0, 2, 3}  # done, bad input, a loss that is not finite


def misspelt(text: str, draw: random.Random) -> str:
    place = draw.randrange(2, len(text))
    return draw.choice(
        [text[:place] + text[place + 1 :], text[:place] + "x" + text[place:], text.upper()]
    )


def of_class(draw: random.Random) -> list[str]:
    place = draw.choice(list(CLASSES))
    argument = draw.choice(ARGUMENTS[place])
    value = draw.choice([*VALUES, "val_loss", "0.1", "3", "00:00:00:09"])
    chosen = [f"--{place}={draw.choice(CLASSES[place])}"]
    return [*chosen, *([f"--{place}.{argument}={value}"] if draw.random() < 0.7 else [])]


def of_group(recipe: str, draw: random.Random) -> list[str]:
    group = draw.choice(["trainer", "model", "data"])
    names = [name for name in inspect.signature(Trainer).parameters if name not in ALONE]
    given = recipes()[recipe].config[group] if group != "trainer" else {}
    others = [
        "optimizer",
        "lr_scheduler",
        "batch_size",
        "root",
        "num_workers",
        "monitor",
        "metrics",
    ]
    names = names if group == "trainer" else [*(given.get("init_args") or {}), *others]
    return [f"--{group}.{draw.choice(names)}={draw.choice(VALUES)}"]


def of_file(recipe: str, draw: random.Random) -> list[str]:
    """A recipe of which one setting is another."""
    config: Any = yaml.safe_load(recipes()[recipe].text)
    place, key = draw.choice(list(places(config)))
    value = yaml.safe_load(draw.choice(VALUES))
    change = draw.randrange(3)
    if change == 0:
        place[key] = value
    elif change == 1 and isinstance(place, dict):
        place[misspelt(f"{key}  ", draw).strip()] = place.pop(key)
    else:
        del place[key]
    path = Path(f"{draw.randrange(10**9)}.yaml")
    path.write_text(yaml.safe_dump(config))
    return ["--config", str(path)]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places(value[key])


def command(seed: int) -> list[str]:
    draw = random.Random(seed)
    recipe, kind = draw.choice(RECIPES), draw.randrange(4)
    if kind == 0:
        return ["fit", *of_file(recipe, draw), *SMALL]
    changed = of_class(draw) if kind == 1 else of_group(recipe, draw)
    if kind == 3:
        changed[-1] = f"{misspelt(changed[-1].partition('=')[0], draw)}=1"
    return ["fit", recipe, *SMALL, *changed]


def said(capsys, seed: int) -> str:
    argv = command(seed)
    code = main(argv)
    captured = capsys.readouterr()
    assert code in ENDS, (argv, code, captured.err)
    lines = [line for line in captured.err.splitlines() if line.startswith("zoo: ")]
    assert code == 0 or len(lines) == 1, (argv, captured.err)
    assert all(len(line) < 600 for line in lines), (argv, lines)
    assert "Traceback" not in captured.err + captured.out, (argv, captured.err)
    return f"{code} {argv[1:]} {' '.join(lines)}"


@pytest.mark.parametrize("seed", range(12))
def test_a_wrong_setting_is_a_line(capsys, seed):
    assert said(capsys, seed)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(6))
def test_600_wrong_settings_are_lines(capsys, part):
    for seed in range(1000 + 100 * part, 1100 + 100 * part):
        assert said(capsys, seed)
