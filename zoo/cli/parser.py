"""The options of every verb of the command. No torch."""

import argparse
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from zoo.catalogue import architectures, corpora, recipes
from zoo.cli.names import meant
from zoo.errors import InputError


class Parser(argparse.ArgumentParser):
    """Errors of one line; no abbreviation of options."""

    verbs: Mapping[str, argparse.ArgumentParser] = {}

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **options})  # type: ignore[arg-type]

    def error(self, message: str) -> None:  # type: ignore[override]
        choice = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
        if choice:
            known = re.findall(r"[\w-]+", choice.group(2))
            message = f"there is no {choice.group(1)}{meant(choice.group(1), known)}; choose from "
            message += ", ".join(known)
        raise InputError(message)


def build_parser() -> Parser:
    """The whole command; shtab makes its completion from this."""
    parser = Parser(prog="zoo", description="Train, compare and use the architectures of the zoo.")
    parser.add_argument("--version", action="store_true", help="print the version")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=Parser)

    verb = verbs.add_parser("list", help="what the zoo holds")
    verb.add_argument("kind", nargs="?", help="models, corpora, recipes or overlays; all")
    verb.add_argument("filter", nargs="?", help="only names that contain this, or match *pattern*")
    verb.add_argument("--json", action="store_true", help="print JSON")

    verb = verbs.add_parser("show", help="one model, corpus, recipe or +overlay")
    verb.add_argument("name", choices=_Names(), metavar="NAME", help="of a model, corpus or recipe")
    kind = verb.add_mutually_exclusive_group()
    kind.add_argument("--layers", action="store_true", help="the layers of a model, one by one")
    kind.add_argument("--card", action="store_true", help="a model or recipe, as a Markdown card")
    kind.add_argument(
        "--augmented", action="store_true", help="draw pictures of a corpus or recipe, changed"
    )
    verb.add_argument("--output", type=Path, help="the PNG of augmented pictures")

    verb = verbs.add_parser("prepare", help="download and verify a corpus")
    verb.add_argument("corpus", metavar="CORPUS", choices=_Names("corpora"), help="its name")
    verb.add_argument("--from", dest="source", type=Path, help="a copy fetched by hand")
    verb.add_argument("--root", type=Path, help="folder of the corpora ($ZOO_DATA, else data)")
    verb.add_argument("--synthetic", action="store_true", help="write the generated stand-in")

    rest = "Options of Trainer, model and data follow as --trainer.X V, --model.X V, --data.X V."
    verb = verbs.add_parser("fit", help="train", epilog=rest)
    _add_training_options(verb)
    verb.add_argument("--ckpt_path", help="checkpoint to go on from; last: this job's, if any")
    verb.add_argument("--print_config", action="store_true", help="print the settings and stop")
    verb.add_argument("--profile", action="store_true", help="say where the time of a step goes")
    verb = verbs.add_parser("tune", help="find a learning rate, a batch size", epilog=rest)
    _add_training_options(verb)
    _add_tuning_options(verb)
    verb = verbs.add_parser("cross-validate", help="train and measure on k folds", epilog=rest)
    _add_training_options(verb)
    verb.add_argument("--folds", type=int, default=5, metavar="K", help="how many; 5 by default")
    verb = verbs.add_parser("submit", help="train as a batch job of SLURM", epilog=rest)
    _add_training_options(verb)
    _add_job_options(verb)
    verb = verbs.add_parser("sweep", help="the trials of a W&B sweep file", epilog=rest)
    verb.add_argument("file", type=Path, metavar="SWEEP.yaml", help="says what to try, and how")
    verb.add_argument("--jobs", type=int, metavar="N", help="trials at a time; one a GPU")
    verb.add_argument("--count", type=int, metavar="N", help="trials in all; run_cap of the file")
    verb.add_argument("--seed", type=int, default=0, help="of the draws; 0 by default")
    _add_folder_options(verb)
    for name, text in (("validate", "measure on the held-out rows"), ("test", "measure once")):
        verb = verbs.add_parser(name, help=text, epilog=rest)
        _add_run_options(verb)
        verb.add_argument("--ckpt_path", required=True, help="checkpoint; says model and corpus")
    verb = verbs.add_parser(
        "predict", help="label pictures, go on with a text, draw samples ...", epilog=rest
    )
    verb.add_argument(
        "inputs", nargs="*", metavar="INPUT", help="files; by default the corpus's own to predict"
    )
    verb.add_argument("--ckpt_path", required=True, help="checkpoint; nothing else is needed")
    verb.add_argument("--output", type=Path, help="the annotated PNG, the table, or the text")
    verb.add_argument("--prompt", help="what a language model is to go on with, or a tagger to tag")
    verb.add_argument("--length", type=int, default=200, help="tokens to add to it; 200 by default")
    verb.add_argument(
        "--temperature", type=float, default=1.0, help="0: the likeliest; over 1: more surprising"
    )
    verb.add_argument("--top_k", type=int, help="draw from so many of the likeliest tokens")
    verb.add_argument("--top_p", type=float, help="draw from the likeliest with this probability")
    verb.add_argument("--seed", type=int, default=0, help="of the draws; 0 by default")
    verb.add_argument("--text", help="a sentence to translate, or a text to classify")
    verb.add_argument("--file", type=Path, help="sentences or texts for that, one a line")
    verb.add_argument("--beam", type=int, help="translations followed at a time; 1: greedy")
    verb.add_argument("--n_best", type=int, help="translations of each sentence; 1 by default")
    verb.add_argument(
        "--nearest", action="append", metavar="WORD", help="what is near a word, or WORD,WORD"
    )
    verb.add_argument(
        "--analogy", action="append", nargs=3, metavar="WORD", help="man woman king: who is queen"
    )
    verb.add_argument("--top", type=int, help="how many words answer; 10 by default")
    verb.add_argument("--export", type=Path, help="write all vectors as word2vec's text")
    verb.add_argument("--num", type=int, help="samples of a generator to draw; 64 by default")
    verb.add_argument(
        "--interpolate", action="store_true", default=None, help="draw the ways between samples"
    )
    _add_trust(verb)

    verb = verbs.add_parser("compare", help="runs side by side: settings, metrics, curves")
    verb.add_argument(
        "runs", nargs="+", metavar="RUN", help="run folders, folders of runs, offline runs of W&B"
    )
    verb.add_argument("--output", type=Path, help="the PNG of learning curves")
    verb.add_argument("--seeds", action="store_true", help="means over seeds instead of their runs")
    verb.add_argument("--csv", type=Path, metavar="FILE", help="the table as CSV; - prints it")
    verb.add_argument("--markdown", type=Path, metavar="FILE", help="as Markdown; - prints it")
    verb.add_argument("--html", type=Path, metavar="FILE", help="a page with curves and pictures")
    verb.add_argument(
        "--wandb", choices=("online", "offline"), help="online: RUN may be entity/project[/run]"
    )

    verb = verbs.add_parser("export", help="write a checkpoint as ONNX, torch.export, safetensors")
    verb.add_argument("ckpt_path", metavar="CKPT", help="checkpoint; nothing else is needed")
    verb.add_argument("--format", required=True, choices=("onnx", "export", "safetensors"))
    verb.add_argument("--output", type=Path, help="the file; by default in exports/ of the run")
    verb.add_argument("--opset", type=int, metavar="N", help="of ONNX; by default torch's")
    verb.add_argument("--static", action="store_true", help="fix all sizes of a graph, for one row")
    _add_trust(verb)

    verb = verbs.add_parser("doctor", help="check the installation")
    verb.add_argument("--json", action="store_true", help="print JSON")

    verb = verbs.add_parser("completion", help="tab completion: zoo completion bash >> ~/.bashrc")
    verb.add_argument("shell", choices=("bash", "zsh", "tcsh"))
    parser.verbs = verbs.choices
    return parser


class _Names:
    """Choices for tab completion only: the verbs check names themselves, with suggestions."""

    def __init__(self, kind: str = "") -> None:
        self.kind = kind

    def __iter__(self) -> Iterator[str]:
        known: dict[str, list[str]] = {
            "models": list(architectures()),
            "corpora": list(corpora()),
            "recipes": list(recipes()),
        }
        kinds = [self.kind] if self.kind else list(known)
        return iter([name for kind in kinds for name in known[kind]])

    def __contains__(self, name: object) -> bool:
        return True


def _add_run_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--model", metavar="MODEL", choices=_Names("models"), help="instead of ...")
    verb.add_argument("--data", metavar="CORPUS", choices=_Names("corpora"), help="... a recipe")
    verb.add_argument("--seed_everything", type=int, metavar="SEED", help="of every random draw")
    _add_trust(verb)


def _add_trust(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--allow",
        metavar="PACKAGE",
        action="append",
        default=[],
        help="import classes of this package, too",
    )


def _add_training_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("recipe", nargs="?", metavar="RECIPE", choices=_Names("recipes"))
    _add_run_options(verb)
    verb.add_argument("--config", "-c", help="a configuration file instead of a recipe")
    _add_folder_options(verb)


def _add_job_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--nodes", type=int, default=1, metavar="N", help="machines; 1 by default")
    verb.add_argument("--gpus", type=int, default=1, metavar="M", help="of each machine; 1")
    verb.add_argument("--cpus-per-task", type=int, metavar="N", help="CPU cores for each GPU")
    verb.add_argument("--mem", metavar="SIZE", help="of each machine: 64G")
    verb.add_argument("--time", metavar="HH:MM:SS", help="after which the job is requeued")
    verb.add_argument("--partition", metavar="P", help="where it is queued")
    verb.add_argument("--account", metavar="A", help="who pays")
    verb.add_argument("--array", metavar="SEEDS", help="a job for each seed: 0-4")
    verb.add_argument("--container", metavar="IMAGE", help="an image with the zoo in it")
    verb.add_argument("--container-runtime", choices=("apptainer", "pyxis"), help="apptainer")
    verb.add_argument(
        "--env", metavar="NAME=VALUE", action="append", default=[], help="variable of the job"
    )
    verb.add_argument(
        "--setup", metavar="COMMAND", action="append", default=[], help="before all: module load X"
    )
    verb.add_argument("--ckpt_path", help="checkpoint to go on from")
    verb.add_argument("--dry-run", action="store_true", help="print the file, submit nothing")


def _add_tuning_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--lr", action="store_true", help="the learning rate; by default")
    verb.add_argument("--min-lr", type=float, default=1e-6, help="where its search begins; 1e-6")
    verb.add_argument("--max-lr", type=float, default=10.0, help="and where it ends; 10")
    verb.add_argument("--steps", type=int, default=100, help="from one to the other; 100")
    verb.add_argument("--batch-size", action="store_true", help="first the fastest that fits")
    verb.add_argument("--max", type=int, default=8192, metavar="N", help="rows to try; 8192")
    verb.add_argument(
        "--mode", choices=("power", "binsearch"), default="power", help="doubling, or nearer"
    )


def _add_folder_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--wandb", choices=("online", "offline", "disabled"), help="mode of W&B")
    verb.add_argument("--runs", type=Path, default=Path("runs"), help="where run folders go")
