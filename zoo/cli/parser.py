"""The options of every verb of the command. No torch."""

import argparse
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from shutil import get_terminal_size
from textwrap import wrap
from typing import Any

from zoo.cli.foreign_errors import of_argparse
from zoo.cli.predict import families
from zoo.cli.short_options import SHORT
from zoo.errors import InputError
from zoo.runs import wandb_options

WIDEST = 100  # columns of a help text: longer lines are hard to read


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Names, addresses and commands stay whole, to be copied."""

    def __init__(self, prog: str) -> None:
        width = min(get_terminal_size().columns, WIDEST)
        super().__init__(prog, max_help_position=width // 3, width=width)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" in text:  # in lines already
            return super()._fill_text(text, width, indent)
        return "\n".join(f"{indent}{line}" for line in self._split_lines(text, width - len(indent)))

    def _split_lines(self, text: str, width: int) -> list[str]:
        whole = {"break_long_words": False, "break_on_hyphens": False}
        return wrap(" ".join(text.split()), width, **whole)  # type: ignore[arg-type]


class Parser(argparse.ArgumentParser):
    """Errors of one line; no abbreviation of options."""

    verbs: Mapping[str, "Parser"] = {}
    short: Mapping[str, argparse.Action] = {}  # short forms of options of Trainer, model and data
    parts: Callable[[], Iterable["Parser"]] = tuple  # what else its help shows

    def __init__(self, *args: object, **options: object) -> None:
        given = {"allow_abbrev": False, "formatter_class": Formatter, **options}
        super().__init__(*args, **given)  # type: ignore[arg-type]

    def error(self, message: str) -> None:  # type: ignore[override]
        raise InputError(of_argparse(message))

    def format_help(self) -> str:
        return "\n".join([super().format_help(), *(each.format_help() for each in self.parts())])


def build_parser(asked: str = "predict") -> Parser:
    """Returns the parser of the whole command.

    Args:
        asked: Verb that is to be parsed: only `predict` needs the options of all families, which
            take a fifth of a start.
    """
    parser = Parser(prog="zoo", description="Train, compare and use the architectures of the zoo.")
    parser.add_argument("--version", action="store_true", help="print the version")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=Parser)

    verb = verbs.add_parser("list", help="what the zoo holds")
    verb.add_argument("kind", nargs="?", help="models, corpora, recipes or overlays; all")
    verb.add_argument("filter", nargs="?", help="part of a name, or a *pattern*")
    verb.add_argument("--task", metavar="TASK", help="those of a task: image_classification")
    verb.add_argument("--trained", action="store_true", help="those that come trained")
    verb.add_argument("--json", action="store_true", help="print JSON")

    verb = verbs.add_parser("show", help="one model, corpus, recipe or +overlay")
    verb.add_argument("name", metavar="NAME", help="name of one of them")
    kind = verb.add_mutually_exclusive_group()
    kind.add_argument("--layers", action="store_true", help="the layers of a model, one by one")
    kind.add_argument("--card", action="store_true", help="a model or recipe, as a Markdown card")
    kind.add_argument(
        "--augmented", action="store_true", help="draw augmented pictures of a corpus or recipe"
    )
    kind.add_argument("--batch", action="store_true", help="the first batch of a corpus or recipe")
    verb.add_argument("--output", type=Path, help="PNG of the pictures")
    _add_trust(verb)

    verb = verbs.add_parser("prepare", help="download and verify a corpus")
    verb.add_argument("corpus", metavar="CORPUS", help="name of it")
    verb.add_argument("--from", dest="source", type=Path, help="copy fetched by hand")
    verb.add_argument("--root", type=Path, help="folder of the corpora ($ZOO_DATA, else data)")
    verb.add_argument("--synthetic", action="store_true", help="write synthetic data instead")

    rest = "Options of Trainer, model and data follow as --trainer.X V, --model.X V, --data.X V."
    verb = _training_verb(verbs, "fit", "train", SHORT)
    verb.add_argument("--seeds", metavar="SEEDS", help="seeds of several runs, a sweep: 0-2")
    verb.add_argument("--ckpt_path", help="checkpoint to resume from; last: this job's, if any")
    verb.add_argument("--print_config", action="store_true", help="print the settings and stop")
    verb.add_argument("--profile", action="store_true", help="report where the time of a step goes")
    verb = _training_verb(verbs, "tune", "find a learning rate, a batch size", ("precision",))
    _add_tuning_options(verb)
    verb = _training_verb(verbs, "cross-validate", "train and measure on k folds", SHORT)
    verb.add_argument("--folds", type=int, default=5, metavar="K", help="folds; 5 by default")
    short = [name for name in SHORT if name != "devices"]  # which --gpus says
    verb = _training_verb(verbs, "submit", "train as a batch job of SLURM", short)
    _add_job_options(verb)
    verb = verbs.add_parser("sweep", help="the trials of a W&B sweep file", epilog=rest)
    verb.add_argument("file", type=Path, metavar="SWEEP.yaml", help="file of what to try")
    verb.add_argument("--jobs", type=int, metavar="N", help="trials at a time; one a GPU")
    verb.add_argument("--count", type=int, metavar="N", help="trials in all; run_cap of the file")
    verb.add_argument("--seed", type=int, default=0, help="seed of the draws; 0 by default")
    _add_trust(verb)
    _add_folder_options(verb)
    for name, text in (("validate", "evaluate on held-out rows"), ("test", "evaluate once")):
        verb = verbs.add_parser(name, help=text, epilog=rest)
        verb.add_argument("--ckpt_path", required=True, help="checkpoint of model and corpus")
        verb.add_argument("--model", metavar="MODEL", help="model that the checkpoint has to be of")
        verb.add_argument(
            "--data", metavar="CORPUS", help="corpus to evaluate on; by default its own"
        )
        _add_common_options(verb)
        _add_short_options(verb, ("batch_size", "devices", "precision"))
    tasks, hidden = families() if asked == "predict" else {}, _Hidden()
    for task in tasks.values():
        task.add_arguments(hidden)
    text = "label pictures, continue a text, draw samples ..."
    usage = "zoo predict [INPUT ...] --ckpt_path CKPT [--OPTION VALUE ...]"
    verb = verbs.add_parser("predict", help=text, usage=usage, epilog=rest, parents=[hidden])
    verb.add_argument(
        "inputs",
        nargs="*",
        metavar="INPUT",
        help="files, or -; by default the corpus's own to predict",
    )
    verb.add_argument("--ckpt_path", required=True, help="checkpoint; nothing else is needed")
    text = "file (.csv, .json or .jsonl for all rows) or folder for the output"
    verb.add_argument("--output", help=text)
    _add_trust(verb)
    verb.parts = lambda: (_options_of_task(name, each) for name, each in tasks.items())

    verb = verbs.add_parser("compare", help="runs side by side: settings, metrics, curves")
    verb.add_argument(
        "runs", nargs="+", metavar="RUN", help="run folders, folders of runs, offline runs of W&B"
    )
    verb.add_argument("--output", type=Path, help="PNG of learning curves")
    _add_trust(verb)
    choose = verb.add_argument_group("which runs and columns")
    choose.add_argument("--last", type=int, metavar="N", help="the N runs that began last")
    choose.add_argument(
        "--filter",
        dest="filters",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="runs that have this setting, by the end of its name: lr=0.1, model=LeNet*",
    )
    choose.add_argument(
        "--metric",
        dest="metrics",
        action="append",
        default=[],
        metavar="NAME",
        help="this metric instead of all: val/accuracy, accuracy",
    )
    choose.add_argument("--sort", metavar="KEY", help="metric, best first, or setting or cost")
    choose.add_argument("--group", metavar="KEY", help="means over the runs of each value")
    choose.add_argument("--seeds", action="store_true", help="means over seeds instead of runs")
    verb.add_argument("--csv", type=Path, metavar="FILE", help="table as CSV; - prints it")
    verb.add_argument("--markdown", type=Path, metavar="FILE", help="in Markdown; - prints it")
    verb.add_argument("--html", type=Path, metavar="FILE", help="page with curves and pictures")
    verb.add_argument(
        "--wandb", choices=("online", "offline"), help="online: RUN may be entity/project[/run]"
    )

    verb = verbs.add_parser("export", help="write a checkpoint as ONNX, torch.export, safetensors")
    verb.add_argument("ckpt_path", metavar="CKPT", help="checkpoint; nothing else is needed")
    verb.add_argument("--format", required=True, choices=("onnx", "export", "safetensors"))
    verb.add_argument("--output", type=Path, help="file; by default in exports/ of the run")
    verb.add_argument("--opset", type=int, metavar="N", help="opset of ONNX; by default torch's")
    verb.add_argument("--static", action="store_true", help="fix all sizes of a graph, for one row")
    _add_trust(verb)

    verb = verbs.add_parser("doctor", help="check the installation")
    verb.add_argument("--json", action="store_true", help="print JSON")

    verb = verbs.add_parser("completion", help="tab completion: zoo completion bash >> ~/.bashrc")
    verb.add_argument("shell", choices=("bash", "zsh", "fish"))
    parser.verbs = verbs.choices
    for said in verbs._choices_actions:
        parser.verbs[said.dest].description = said.help
    return parser


def _training_verb(verbs: Any, name: str, text: str, short: Iterable[str]) -> Parser:
    """Adds and returns a verb that trains; its help is that of what it trains: `zoo.cli.help`."""
    verb: Parser = verbs.add_parser(name, help=text, add_help=False)
    verb.add_argument("recipe", nargs="?", metavar="RECIPE", help="recipe; `zoo list recipes`")
    verb.add_argument(
        "-h",
        "--help",
        action="store_true",
        help="show this help, with a recipe its options too, and exit",
    )
    verb.add_argument(
        "--all", action="store_true", help="with --help: show every option of the Trainer"
    )
    verb.add_argument("--model", metavar="MODEL", help="model to train, instead of the recipe's")
    verb.add_argument(
        "--data", metavar="CORPUS", help="corpus to train on, instead of the recipe's"
    )
    verb.add_argument(
        "--config", "-c", metavar="FILE", help="configuration file to use instead of a recipe"
    )
    _add_common_options(verb)
    _add_folder_options(verb)
    _add_short_options(verb, short)
    return verb


def _add_short_options(verb: Parser, names: Iterable[str]) -> None:
    """Adds short forms; see `zoo.cli.short_options`."""
    group = verb.add_argument_group("short forms")
    added = {}
    for name in names:
        what, full = SHORT[name]
        text = (
            f"{what}: --{full}" if full else f"{what} of the optimizer, or of the schedule's peak"
        )
        option = {"dest": f"short_{name}", "metavar": name.upper(), "help": text}
        added[name] = group.add_argument(f"--{name}", **option)  # type: ignore[arg-type]
    verb.short = added


class _Hidden(Parser):
    """Options of one family or of several, absent where they are not given, and not in the help."""

    def __init__(self) -> None:
        suppressed = {"argument_default": argparse.SUPPRESS, "conflict_handler": "resolve"}
        super().__init__(add_help=False, **suppressed)

    def add_argument(self, *names: Any, **options: Any) -> argparse.Action:
        return super().add_argument(*names, **{**options, "help": argparse.SUPPRESS})


def _options_of_task(name: str, family: Any) -> Parser:
    """Returns a parser whose help shows the options of `predict` for one family."""
    parser = Parser(usage=argparse.SUPPRESS, add_help=False)
    group = parser.add_argument_group(f"{name.replace('_', ' ')} ({family.DOES})")
    family.add_arguments(group)
    if not parser.format_help():
        group.description = "no options but those above"
    return parser


def _add_common_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--seed_everything", type=int, metavar="SEED", help="random seed")
    _add_trust(verb)


def _add_trust(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--allow",
        metavar="PACKAGE",
        action="append",
        default=[],
        help="another package whose classes may be imported",
    )


def _add_job_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--nodes", type=int, default=1, metavar="N", help="machines; 1 by default")
    verb.add_argument("--gpus", type=int, default=1, metavar="M", help="GPUs of each machine; 1")
    verb.add_argument("--cpus-per-task", type=int, metavar="N", help="CPU cores for each GPU")
    verb.add_argument("--mem", metavar="SIZE", help="memory of each machine: 64G")
    verb.add_argument("--time", metavar="HH:MM:SS", help="time after which the job is requeued")
    verb.add_argument("--partition", metavar="P", help="partition to queue in")
    verb.add_argument("--account", metavar="A", help="account to charge")
    verb.add_argument("--array", metavar="SEEDS", help="seeds, one job for each: 0-4")
    verb.add_argument("--container", metavar="IMAGE", help="container image with the zoo in it")
    verb.add_argument("--container-runtime", choices=("apptainer", "pyxis"), help="apptainer")
    verb.add_argument(
        "--env", metavar="NAME=VALUE", action="append", default=[], help="variable of the job"
    )
    verb.add_argument(
        "--setup", metavar="COMMAND", action="append", default=[], help="first: module load X"
    )
    verb.add_argument("--ckpt_path", help="checkpoint to resume from")
    verb.add_argument("--dry-run", action="store_true", help="print the file, submit nothing")


def _add_tuning_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--lr", action="store_true", help="find the learning rate; the default")
    verb.add_argument("--min-lr", type=float, default=1e-6, help="lowest rate to try; 1e-6")
    verb.add_argument("--max-lr", type=float, default=10.0, help="highest rate to try; 10")
    verb.add_argument("--steps", type=int, default=100, help="steps from one to the other; 100")
    verb.add_argument("--batch-size", action="store_true", help="find the batch size first")
    verb.add_argument("--max", type=int, default=8192, metavar="N", help="largest batch; 8192")
    verb.add_argument(
        "--mode", choices=("power", "binsearch"), default="power", help="double, or search on"
    )


def _add_folder_options(verb: argparse.ArgumentParser) -> None:
    wandb_options.add_arguments(verb)
    verb.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the run folders")
