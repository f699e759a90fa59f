"""The options of every verb of the command. No torch."""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path

from zoo.catalogue import architectures, corpora, recipes
from zoo.cli.foreign_errors import of_argparse
from zoo.cli.predict import families
from zoo.errors import InputError
from zoo.runs import wandb_options


class Parser(argparse.ArgumentParser):
    """Errors of one line; no abbreviation of options."""

    verbs: Mapping[str, argparse.ArgumentParser] = {}

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **options})  # type: ignore[arg-type]

    def error(self, message: str) -> None:  # type: ignore[override]
        raise InputError(of_argparse(message))


def build_parser() -> Parser:
    """The whole command; shtab makes its completion from this."""
    parser = Parser(prog="zoo", description="Train, compare and use the architectures of the zoo.")
    parser.add_argument("--version", action="store_true", help="print the version")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=Parser)

    verb = verbs.add_parser("list", help="what the zoo holds")
    verb.add_argument("kind", nargs="?", help="models, corpora, recipes or overlays; all")
    verb.add_argument("filter", nargs="?", help="part of a name, or a *pattern*")
    verb.add_argument("--json", action="store_true", help="print JSON")

    verb = verbs.add_parser("show", help="one model, corpus, recipe or +overlay")
    verb.add_argument("name", choices=_Names(), metavar="NAME", help="name of one of them")
    kind = verb.add_mutually_exclusive_group()
    kind.add_argument("--layers", action="store_true", help="the layers of a model, one by one")
    kind.add_argument("--card", action="store_true", help="a model or recipe, as a Markdown card")
    kind.add_argument(
        "--augmented", action="store_true", help="draw augmented pictures of a corpus or recipe"
    )
    kind.add_argument("--batch", action="store_true", help="the first batch of a corpus or recipe")
    verb.add_argument("--output", type=Path, help="PNG of the pictures")

    verb = verbs.add_parser("prepare", help="download and verify a corpus")
    verb.add_argument("corpus", metavar="CORPUS", choices=_Names("corpora"), help="name of it")
    verb.add_argument("--from", dest="source", type=Path, help="copy fetched by hand")
    verb.add_argument("--root", type=Path, help="folder of the corpora ($ZOO_DATA, else data)")
    verb.add_argument("--synthetic", action="store_true", help="write synthetic data instead")

    rest = "Options of Trainer, model and data follow as --trainer.X V, --model.X V, --data.X V."
    verb = verbs.add_parser("fit", help="train", epilog=rest)
    _add_training_options(verb)
    verb.add_argument("--ckpt_path", help="checkpoint to resume from; last: this job's, if any")
    verb.add_argument("--print_config", action="store_true", help="print the settings and stop")
    verb.add_argument("--profile", action="store_true", help="report where the time of a step goes")
    verb = verbs.add_parser("tune", help="find a learning rate, a batch size", epilog=rest)
    _add_training_options(verb)
    _add_tuning_options(verb)
    verb = verbs.add_parser("cross-validate", help="train and measure on k folds", epilog=rest)
    _add_training_options(verb)
    verb.add_argument("--folds", type=int, default=5, metavar="K", help="folds; 5 by default")
    verb = verbs.add_parser("submit", help="train as a batch job of SLURM", epilog=rest)
    _add_training_options(verb)
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
        _add_run_options(verb)
        verb.add_argument("--ckpt_path", required=True, help="checkpoint of model and corpus")
    own = Parser(
        add_help=False, argument_default=argparse.SUPPRESS, conflict_handler="resolve"
    )  # of one family or of several, absent where they are not given
    for family in families().values():
        family.add_arguments(own)
    verb = verbs.add_parser(
        "predict",
        help="label pictures, continue a text, draw samples ...",
        epilog=rest,
        parents=[own],
    )
    verb.add_argument(
        "inputs", nargs="*", metavar="INPUT", help="files; by default the corpus's own to predict"
    )
    verb.add_argument("--ckpt_path", required=True, help="checkpoint; nothing else is needed")
    verb.add_argument("--output", type=Path, help="file or folder for the output")
    _add_trust(verb)

    verb = verbs.add_parser("compare", help="runs side by side: settings, metrics, curves")
    verb.add_argument(
        "runs", nargs="+", metavar="RUN", help="run folders, folders of runs, offline runs of W&B"
    )
    verb.add_argument("--output", type=Path, help="PNG of learning curves")
    verb.add_argument("--seeds", action="store_true", help="means over seeds instead of runs")
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
    verb.add_argument("--seed_everything", type=int, metavar="SEED", help="seed of all draws")
    _add_trust(verb)


def _add_trust(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--allow",
        metavar="PACKAGE",
        action="append",
        default=[],
        help="package whose classes may be imported, too",
    )


def _add_training_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("recipe", nargs="?", metavar="RECIPE", choices=_Names("recipes"))
    _add_run_options(verb)
    verb.add_argument("--config", "-c", help="configuration file instead of a recipe")
    _add_folder_options(verb)


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
