"""What test_distributed runs as one process and as two: cases one after another, in one start.

    python -m tests.training.worlds OUT DEVICES CASE ...

A case is a recipe, how many micro-batches make a step where that is not 1, and options of its own:
"lenet-fashion_mnist@2 model.activation=relu". What came out is saved as OUT: of each case the
weights after training and all metrics, or a refusal.
"""

import os
import sys
import time
import warnings
from pathlib import Path

import torch
from lightning.pytorch import Callback

from datamodules.batches.in_memory import Rows, WholeBatches
from datamodules.batches.token_streams import TokenStream
from zoo.catalogue import architectures, arguments, corpora, definitions, recipes
from zoo.cli.compose import compose
from zoo.cli.lightning import ZooCLI
from zoo.errors import InputError
from zoo.generation.task import AdversarialGenerator
from zoo.training.process_group import destroy_group

STEPS = 20
BATCH = 32  # rows of a step, of all processes and micro-batches
ROWS = (1, 2, 7, 65)
SIDE = 72  # no network needs larger pictures


class Some(WholeBatches):
    """The first rows of a corpus, from the beginning again where it has fewer."""

    def __init__(self, rows, number):
        self.rows, self.chosen = rows, torch.arange(number) % len(rows)
        if hasattr(rows, "lengths"):
            self.lengths = tuple(lengths[self.chosen] for lengths in rows.lengths)

    def __len__(self):
        return len(self.chosen)

    def __getitem__(self, rows):
        return self.rows[Rows(rows.epoch, self.chosen[rows.indices])]


def some(rows, number):
    if isinstance(rows, TokenStream):
        tokens, targets = rows.tensors
        return TokenStream(tokens[:number], targets[:number])
    return Some(rows, number)


def hold_still(model):
    """Batch normalisation as in evaluation: what it takes from a batch is not what worlds share."""
    for module in model.modules():
        if hasattr(module, "running_mean"):
            module.eval()
            module.train = lambda mode=True, module=module: module


class NoiseOfTheBatch(Callback):
    """Noise that is no draw: of each sample, the same in every world."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        pl_module.noise = lambda rows: batch[0].flatten(1)[:rows, : pl_module.latent_dim].cos()

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        del pl_module.noise


def options(recipe, world, parts):
    """A recipe on its stand-in, without dropout, small, in double precision, for 40 steps."""
    model, data = architectures()[recipe.model], corpora()[recipe.corpus]
    model, data = (arguments(each, definitions()) for each in (model, data))
    given = recipe.config["data"].get("init_args") or {}
    chosen = {
        "trainer.max_steps": STEPS,
        "trainer.max_epochs": 1 if recipe.model == "NGram" else 1000,
        "trainer.accumulate_grad_batches": parts,
        "trainer.check_val_every_n_epoch": 1000,
        "trainer.num_sanity_val_steps": 0,
        "trainer.precision": "64-true",
        "trainer.accelerator": "cpu",
        "trainer.devices": world,
        "trainer.strategy": "ddp" if world > 1 else "auto",
        "trainer.enable_progress_bar": "false",
    }
    if "batch_size" in data:
        chosen["data.batch_size"] = BATCH // world // parts
    if "sizes" in data:
        chosen["data.sizes"] = "[48]"
    if "partition" in data:
        chosen["data.num_steps"] = 16
    if "synthetic" in data:
        chosen["data.synthetic"] = "true"
    if "num_test" in data:
        chosen |= {"data.num_val": 70, "data.num_test": 70}
    family = recipe.path.parent.name
    if "size" in data:
        sides = {"generation": 32, "style_transfer": 36}
        chosen["data.size"] = sides.get(family, SIDE)
    if "crop_size" in data:
        chosen["data.crop_size"] = "null"
    if "resize" in given:
        chosen["data.resize"] = min(given["resize"], SIDE)
    if family in ("language_modeling", "sequence_tagging"):
        small = {"hidden_size", "embed_dim"} & set(model)
        chosen |= {
            f"model.{name}": 16 for name in small if name == "hidden_size" or len(small) == 1
        }
    if "dropout" in model:
        chosen["model.dropout"] = 0.0
    settings = recipe.config["model"].get("init_args") or {}
    if settings.get("weights"):
        chosen["model.weights"] = "null"
    if "width_ratio" in model:
        chosen["model.width_ratio"] = 0.25 if settings.get("channels_last") else 0.0625
    if "features" in model:
        chosen["model.features"] = "zoo.image_classification.lenet.LeNet"
    return [f"--{name}={value}" for name, value in chosen.items()]


def run(case, world):
    name, *own = case.split()
    name, _, parts = name.partition("@")
    recipe = recipes()[name]
    given = [*options(recipe, world, int(parts or 1)), *(f"--{option}" for option in own)]
    experiment = compose(name, None, None, None, given)
    cli = ZooCLI(experiment, None, logs=False)
    model, data, trainer = cli.model, cli.datamodule, cli.trainer
    if isinstance(model, AdversarialGenerator):
        trainer.callbacks.append(NoiseOfTheBatch())
    hold_still(model)
    data.prepare_data()
    data.setup("fit")
    train = data.data.get("train")
    if train is not None and len(train) % 2 and recipe.corpus != "PennTreebankWindows":
        data.data["train"] = some(train, len(train) - 1)  # one process would see the odd one
    try:
        trainer.fit(model, data)
    except InputError as error:
        return {"refusal": str(error)}
    if recipe.model == "NGram":
        model.take_in()  # what is pending has no order
    weights = flat(model.state_dict())
    found = {"steps": trainer.global_step, "weights": weights, "metrics": {}}
    found["metrics"]["train"] = metrics(trainer)
    stage = "test" if "test" in data.splits else "val"
    data.setup({"test": "test", "val": "validate"}[stage])
    rows = data.data.get(stage)
    if rows is None or not len(rows):
        return found
    measure = trainer.test if stage == "test" else trainer.validate
    for number in ROWS:
        data.data[stage] = some(rows, number)
        measure(model, data, verbose=False)
        found["metrics"][number] = metrics(trainer)
    return found


def flat(state, prefix=""):
    """The tensors of a state, also those in dictionaries and lists."""
    found = {}
    for key, value in state.items() if isinstance(state, dict) else enumerate(state):
        if torch.is_tensor(value):
            found[f"{prefix}{key}"] = value
        elif isinstance(value, dict | list):
            found |= flat(value, f"{prefix}{key}.")
    return found


def metrics(trainer):
    return {key: float(value) for key, value in trainer.callback_metrics.items()}


def main(out, world, *cases):
    warnings.filterwarnings("ignore")
    found = {}
    for case in cases:
        start = time.monotonic()
        found[case] = run(case, int(world))
        if os.environ.get("LOCAL_RANK", "0") == "0":
            torch.save(found, Path(out))
            print(case, f"{time.monotonic() - start:.1f} s", flush=True)
    destroy_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
