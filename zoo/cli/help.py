"""`zoo fit RECIPE --help`: the options of a recipe's model, corpus and schedule. No torch."""

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import yaml

from zoo.catalogue import ancestry, facts, optimizers, recipes, schedules
from zoo.cli.compose import DEFAULT_OPTIMIZER, choose, settings
from zoo.cli.foreign_signatures import first_sentence, options_at, trainer_options
from zoo.cli.overlays import apply, overlays
from zoo.cli.parser import Parser
from zoo.cli.short_options import SHORT, in_full, rates
from zoo.cli.show.docstrings import Option, options_of, read
from zoo.errors import InputError

TRAINER = {  # the options of the Trainer that matter most
    "max_epochs": "Number of epochs after which training ends; -1 for no end.",
    "max_steps": "Number of optimizer steps after which training ends; -1 for no limit.",
    "max_time": "Time after which training ends, as DD:HH:MM:SS.",
    "accelerator": "Kind of device: cpu, gpu, mps, tpu, or auto for the best there is.",
    "devices": "Number of devices, a list of their indices, or auto for all.",
    "num_nodes": "Number of machines.",
    "strategy": "Way to train on several devices: ddp, fsdp or deepspeed; see +ddp and +fsdp.",
    "precision": "Precision: 32-true, 16-mixed, bf16-mixed, 64-true, 16-true or bf16-true.",
    "accumulate_grad_batches": "Number of batches whose gradients make one step.",
    "gradient_clip_val": "Norm to which gradients are clipped; null for no clipping.",
    "limit_train_batches": "Number of training batches per epoch, or a fraction of them (0.1).",
    "limit_val_batches": "Number of validation batches, or a fraction of them; 0 for none.",
    "check_val_every_n_epoch": "Number of epochs between validations.",
    "callbacks": "Callbacks to add, by class: EarlyStopping, LearningRateMonitor.",
    "fast_dev_run": "Whether to run a single batch of everything, or that many, and keep nothing.",
}
GENERAL: dict[str, Any] = {  # what the examples train where nothing is named
    **dict.fromkeys(("config", "model", "data")),
    "recipe": "lenet-fashion_mnist",
    "overlays": [],
    "allow": [],
}
GENERATED = ("on generated data, without a download", "--data.synthetic true --epochs 1")
OTHER = ("with other settings", "{other}")
EXAMPLES = {  # of each verb that trains
    "fit": (
        GENERATED,
        OTHER,
        ("with another seed, uploaded to W&B", "--seed_everything 1 --wandb online"),
        ("resume a run", "--ckpt_path {last}"),
    ),
    "cross-validate": (
        ("on five folds", ""),
        ("on ten folds, with another seed", "--folds 10 --seed_everything 1"),
        OTHER,
        GENERATED,
    ),
    "tune": (
        ("find a learning rate", ""),
        ("find a batch size, then a learning rate for it", "--batch-size --lr"),
        ("search a narrower range", "--min-lr 1e-4 --max-lr 1 --steps 200"),
        ("on generated data, without a download", "--data.synthetic true"),
    ),
    "submit": (
        ("print the job file without submitting it", "--gpus 4 --dry-run"),
        ("on two machines with four GPUs each", "--nodes 2 --gpus 4 --time 8:00:00"),
        ("a job for each of five seeds", "--array 0-4"),
        OTHER,
    ),
}
RARE = ("foreach", "maximize", "capturable", "differentiable", "fused")  # of optimizers


def show_help(verb: Parser, options: argparse.Namespace, overrides: Sequence[str]) -> None:
    """Prints the options of a verb that trains, and of what it is to train, as far as it is named.

    Raises:
        InputError: A name is unknown, or the file of settings is bad.
    """
    page = Page(options, overrides)
    verb.usage = f"{verb.prog} {page.recipe or 'RECIPE'} [+OVERLAY ...] [--OPTION VALUE ...]"
    if page.recipe:
        verb.description = recipes()[page.recipe].summary
    for name, action in verb.short.items():
        page.describe_short(name, action)
    for title, text, prefix, some in page.sections(whole=options.all):
        group = verb.add_argument_group(title, text and _escaped(text))
        for option in some:
            said = {"metavar": page.value(prefix, option), "help": page.text(prefix, option)}
            group.add_argument(f"--{prefix}{option.name}", **said)  # type: ignore[arg-type]
    added = verb.add_argument_group("overlays, which go on top of any recipe")
    for name, overlay in overlays().items():
        added.add_argument(f"+{name}", nargs="?", help=_escaped(overlay.summary))
    verb.epilog = "\n".join(page.examples(verb.prog))
    print(verb.format_help(), end="")


class Page:
    """What is to be trained, as far as it is named.

    Attributes:
        recipe: Name of the recipe, "" where there is none.
        config: Settings.
        given: What settings and options set, by the name of the option, as YAML.
        known: Options of the model and of the corpus.
    """

    def __init__(self, options: argparse.Namespace, overrides: Sequence[str]) -> None:
        named = (options.recipe, options.config, options.model, options.data)
        self.name, self.config = "", dict[str, Any]()
        if options.recipe or options.config or (options.model and options.data):
            self.name, self.config = settings(*named)
        self.recipe = self.name if self.name in recipes() else ""
        for group in ("model", "data"):
            if self.config.get(group) or getattr(options, group):
                choose(self.config, group, getattr(options, group))
        apply(options.overlays, self.config)
        self.names = {g: self._class(g).rpartition(".")[2] for g in ("model", "data")}
        self.known = {group: self._options(group) for group in ("model", "data")}
        self.rates = list[str]()
        if "model" in self.config:
            arguments = [option.name for option in self.known["model"]]  # nothing is imported
            self.rates = rates(self.config, overrides, arguments)
            with suppress(InputError):  # a value that cannot be: its option is described
                overrides, _ = in_full(self.config, overrides, arguments)
        self.given = _given(self.config, overrides)

    def _class(self, group: str) -> str:
        return self.config.get(group, {}).get("class_path", "")

    def _options(self, group: str) -> list[Option]:
        """Returns the options of the model or the corpus, a model's without what a corpus sets."""
        path, offered = self._class(group), None
        definition = ancestry(path).get(path) if path else None
        if definition is None:
            return []
        if group == "model" and (corpus := self._class("data")):
            bases = ancestry(corpus)
            offered = facts(bases[corpus], bases) if corpus in bases else set()
        return options_of(definition, offered)

    def describe_short(self, name: str, action: argparse.Action) -> None:
        """Says what a short form sets here, and the value that it replaces."""
        what, full = SHORT[name]
        if full.startswith("data.") and self.known["data"] and not self._default(full):
            action.help = argparse.SUPPRESS  # a corpus without it
            return
        names = [full] if full else self.rates
        if names:
            value = self.given.get(names[0]) or self._default(names[0])
            action.metavar = name.upper() if value in (None, "null") else value
            action.help = f"{what}: {', '.join(f'--{each}' for each in names)}"
        elif "model" in self.config:
            action.help = argparse.SUPPRESS

    def _default(self, name: str) -> str | None:
        group, _, rest = name.partition(".")
        if group == "trainer":
            return trainer_options()[rest].default
        if group not in self.known:
            return None
        place, _, last = rest.rpartition(".")
        some = self._part(place) if place else self.known[group]
        return next((option.default for option in some if option.name == last), None)

    def _part(self, name: str) -> tuple[Option, ...]:
        """Returns the options of an optimizer or a schedule, by the argument that takes it."""
        path = self._path_of_part(name)
        return options_at(path) if path else ()

    def _path_of_part(self, name: str) -> str:
        default = next((o.default for o in self.known["model"] if o.name == name), "")
        cls = self.given.get(f"model.{name}") or (DEFAULT_OPTIMIZER if default == "Adam" else "")
        if "." in cls or cls in ("", "null"):
            return cls.removeprefix("null")
        if name.endswith("optimizer"):
            return optimizers().get(cls, f"torch.optim.{cls}")
        return schedules().get(cls, f"torch.optim.lr_scheduler.{cls}")

    def sections(self, *, whole: bool) -> Iterator[tuple[str, str | None, str, Iterable[Option]]]:
        """Yields title, text, prefix and options of each part: model, optimizer, corpus ..."""
        for group, kind in (("model", "model"), ("data", "corpus")):
            if not self.known[group]:
                if self.names[group]:
                    text = "Its options are known once it is imported; see its own documentation."
                    yield f"{kind} {self.names[group]}", text, f"{group}.", []
                continue
            filled = [each.name for each in self.known[group] if each.linked and group == "model"]
            own = [option for option in self.known[group] if option.name not in filled]
            text = read(ancestry(self._class(group))[self._class(group)].docstring).paragraphs[0]
            sets = f" The corpus sets {', '.join(filled)}." if filled else ""
            text = f"{' '.join(text.split())}{sets}"
            yield f"{kind} {self.names[group]}", text, f"{group}.", own
            for name in [option.name for option in own if group == "model"]:
                if name.endswith(("optimizer", "lr_scheduler")) and (part := self._part(name)):
                    word = "optimizer" if name.endswith("optimizer") else "schedule"
                    cls = self._path_of_part(name).rpartition(".")[2]
                    shown = [option for option in part if whole or option.name not in RARE]
                    title = f"{word} {cls}; --model.{name} NAME takes another"
                    yield title, None, f"model.{name}.", shown
        known = trainer_options()
        main = [known[name]._replace(text=text) for name, text in TRAINER.items()]
        yield "Lightning Trainer", None, "trainer.", main
        if whole:
            rest = [option for name, option in known.items() if name not in TRAINER]
            yield "other options of the Trainer", None, "trainer.", rest

    def dotted(self) -> dict[str, Option]:
        """Returns all options of the Trainer and of what is named, by their names in full."""
        parts = [(prefix, some) for _, _, prefix, some in self.sections(whole=True)]
        return {f"{prefix}{option.name}": option for prefix, some in parts for option in some}

    def value(self, prefix: str, option: Option) -> str:
        """Returns the value of an option as it is here."""
        return self.given.get(f"{prefix}{option.name}") or option.default or "VALUE"

    def text(self, prefix: str, option: Option) -> str:
        """Returns a sentence on an option, its choices, and its default if it is not that."""
        given, text = self.given.get(f"{prefix}{option.name}"), first_sentence(option.text)
        if option.choices and "true" not in option.choices:
            text += f" One of {', '.join(option.choices)}."
        if given is None and option.default is None:
            text += " Required."
        elif given not in (None, option.default) and option.default not in (None, "null"):
            text += f" Default: {option.default}."
        return _escaped(text)

    def examples(self, prog: str) -> Iterator[str]:
        """Yields four commands that work, and where there is more to read."""
        if not self.config:
            yield from Page(argparse.Namespace(**GENERAL), ()).examples(prog)
            return
        pair = f"--model {self.names['model'] or 'MODEL'} --data {self.names['data'] or 'CORPUS'}"
        last = f"runs/{self.name or 'NAME'}/1/checkpoints/last.ckpt"
        yield "examples:"
        for text, given in EXAMPLES[prog.rpartition(" ")[2]]:
            yield f"  {text}:"
            given = given.format(other=self._other(), last=last)
            yield f"    {prog} {self.recipe or pair} {given}".rstrip()
        yield from ["", "more:", *(f"  zoo show {name}" for name in self.names.values() if name)]
        yield f"  {prog} --help --all    # every option of the Trainer"

    def _other(self) -> str:
        """Returns options that halve the learning rate and the size of the batches."""
        places = {"lr": self.rates[0] if self.rates else "", "batch_size": "data.batch_size"}
        halves = []
        for name, place in places.items():
            value = yaml.safe_load(self.given.get(place) or self._default(place) or "")
            if isinstance(value, int | float) and value > 0:
                half = value / 2 if name == "lr" else max(1, value // 2)
                halves.append(f"--{name} {half:g}")
        return " ".join(halves or ["--seed_everything 1"])


def _given(config: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, str]:
    """Returns what settings and options set, by the name of the option, as YAML."""
    found = {f"trainer.{key}": _yaml(value) for key, value in (config.get("trainer") or {}).items()}
    for group in ("model", "data"):
        for name, value in (config.get(group, {}).get("init_args") or {}).items():
            if isinstance(value, dict) and "class_path" in value:
                found[f"{group}.{name}"] = value["class_path"]
                given = value.get("init_args") or {}
                found |= {f"{group}.{name}.{key}": _yaml(each) for key, each in given.items()}
            else:
                found[f"{group}.{name}"] = _yaml(value)
    for option in overrides:
        key, _, value = option.removeprefix("--").replace(".init_args.", ".").partition("=")
        if key.endswith(("optimizer", "lr_scheduler")):  # another class has settings of its own
            found = {name: each for name, each in found.items() if not name.startswith(f"{key}.")}
        found[key] = value
    return found


def _yaml(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=1000)
    return text.removesuffix("...\n").strip()


def _escaped(text: str) -> str:
    return text.replace("%", "%%")
