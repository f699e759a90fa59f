"""The `zoo` command: a light front end that imports torch only for what trains or predicts."""

import argparse
import errno
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from pkgutil import resolve_name

from datamodules.files.errors import CorpusError
from zoo.catalogue import recipes
from zoo.cli.names import refuse_address
from zoo.cli.overlays import TRAIN, split
from zoo.cli.parser import build_parser
from zoo.cli.short_options import SHORT, hint
from zoo.errors import InputError, NonFiniteError, RankError, StoppedError
from zoo.runs import folder as run_folder
from zoo.training.signals import end_with_first_rank, hear_warning

OVERRIDE = re.compile(r"--(trainer|model|data)\.\w")
DOTTED = re.compile(r"--[\w]+\.[\w.]+\+?$")
SWITCH = "--wandb.log_model"  # which may stand without a value
NUMBER = re.compile(r"-[\d.]")
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)  # what a disk says that takes no more

NO_NAME = (errno.ENAMETOOLONG, errno.ELOOP)


def _join_values(argv: Sequence[str]) -> list[str]:
    """`--trainer.x 5` -> `--trainer.x=5`, so that 5 is not taken for the name of a recipe."""
    joined: list[str] = []
    for token in argv:
        if joined and joined[-1] == SWITCH and token.lower() not in ("true", "false"):
            joined[-1] += "=true"
        takes_value = joined and DOTTED.match(joined[-1])
        if takes_value and (not token.startswith("-") or NUMBER.match(token)):
            joined[-1] += f"={token}"
        else:
            joined.append(token)
    return joined


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code.

    That is 0, or 2 for bad input, 3 for a loss that is not finite, 130 after Ctrl-C, 143 after
    SIGTERM and 129 after SIGHUP. Processes that another one started leave it to that to say so.
    """
    end_with_first_rank()
    hear_warning()
    if Path("zoo").is_dir() and not Path("zoo", "__init__.py").is_file():
        os.environ["PYTHONSAFEPATH"] = "1"  # else it hides the package from processes started here
    try:
        return _run(list(sys.argv[1:] if argv is None else argv))
    except (InputError, CorpusError) as error:
        if not run_folder.given():
            text = "".join(sign if sign.isprintable() else " " for sign in str(error))
            print(f"zoo: {text}", file=sys.stderr)  # a line, whatever a file has said
        return 2
    except (NonFiniteError, StoppedError) as error:
        if run_folder.given():
            return 0  # Lightning kills the first process where another ends with an error
        print(f"zoo: {error}", file=sys.stderr)
        return error.code if isinstance(error, StoppedError) else 3
    except RankError as error:
        if not run_folder.given():
            print(f"zoo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("zoo: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, head say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno in NO_NAME:
            print(f"zoo: {str(error.filename)[:80]}…: {error.strerror}", file=sys.stderr)
            return 2
        if error.errno not in FULL:
            raise
        if not run_folder.given():
            where = error.filename or "a file of the run"
            way_out = "make room, or choose another folder"
            print(f"zoo: {where}: cannot be written ({error.strerror}): {way_out}", file=sys.stderr)
        return 2


def _run(argv: list[str]) -> int:
    if argv[:1] == ["completion"] and argv[2:]:
        from zoo.cli.completion import answer

        return answer(argv[1], argv[2:])
    parser = build_parser(argv[0] if argv else "")
    argv, overlays = split(_join_values(argv))
    # Taken out first: argparse takes an option whose value has a space for a name.
    options, overrides = parser.parse_known_args([t for t in argv if not OVERRIDE.match(t)])
    overrides += [token for token in argv if OVERRIDE.match(token)]
    short = {name: vars(options).pop(f"short_{name}", None) for name in SHORT}
    short_overrides = [f"--{name}={value}" for name, value in short.items() if value is not None]
    options.overlays = overlays
    for name in ("ckpt_path", "config", "file", "source"):
        refuse_address(vars(options).get(name))
    for option in overrides:
        if re.match(r"--data\.\w*(path|root|annotations|pictures|content)=", option):
            refuse_address(option.partition("=")[2])
    if vars(options).get("allow") and "" not in sys.path:
        sys.path.append(str(Path.cwd()))  # after all others: of a package that is not installed
    if vars(options).get("help") or vars(options).get("all"):
        from zoo.cli.help import show_help

        show_help(parser.verbs[options.verb], options, [*overrides, *short_overrides])
        return 0
    if options.version:
        from zoo.version import zoo_version

        print(f"zoo {zoo_version()}")
        return 0
    if options.verb is None:
        parser.print_help()
        return 0
    trains = options.verb in (*TRAIN, "sweep", "validate", "test", "predict")
    groups = "trainer|model|data" if trains else "data" if options.verb == "show" else "(?!)"
    for option in overrides:
        name = option.partition("=")[0]
        if not re.match(rf"--({groups})\.\w", option):
            known = re.findall(r"--[\w.-]+", parser.verbs[options.verb].format_help())
            known += _dotted(options) if trains else []
            raise InputError(f"zoo {options.verb} does not know {name}{hint(name, known)}")
        if "=" not in option:
            raise InputError(f"{name} needs a value")
    if options.verb in ("predict", "export"):
        from zoo.cli.report import waiting

        with waiting("loading torch"):
            resolve_name(VERBS[options.verb])
    return resolve_name(VERBS[options.verb])(options, [*overrides, *short_overrides])


def _dotted(options: argparse.Namespace) -> Iterator[str]:
    """Yields the options of the Trainer, and of what a recipe trains."""
    from zoo.cli.experiment import arguments_of
    from zoo.cli.foreign_signatures import trainer_options

    yield from (f"--trainer.{name}" for name in trainer_options())
    if recipe := recipes().get(vars(options).get("recipe") or ""):
        for group in ("model", "data"):
            known = arguments_of(recipe.config[group]["class_path"])
            yield from (f"--{group}.{name}" for name in known)
    yield "--data.batch_size"


def _compare(options: argparse.Namespace, overrides: list[str]) -> int:
    from zoo.cli.compare_runs import compare

    files = {kind: getattr(options, kind) for kind in ("csv", "markdown", "html")}
    names = ("seeds", "wandb", "metrics", "sort", "last", "filters", "group")
    given = {name: getattr(options, name) for name in names} | {"files": files}
    compare(options.runs, options.output, **given)
    return 0


def _doctor(options: argparse.Namespace, overrides: list[str]) -> int:
    from zoo.cli.doctor import doctor

    return doctor(options.json)


VERBS = {  # functions of the options and of those for Trainer, model and data; return an exit code
    "list": "zoo.cli.show.listing:list_all",
    "show": "zoo.cli.show.verb:show",
    "prepare": "zoo.cli.prepare:prepare",
    "fit": "zoo.cli.run:fit",
    "cross-validate": "zoo.cli.cross_validate:cross_validate",
    "tune": "zoo.cli.tune.verb:tune",
    "submit": "zoo.cli.submit:submit",
    "sweep": "zoo.cli.sweep.verb:sweep",
    "validate": "zoo.cli.run:evaluate",
    "test": "zoo.cli.run:evaluate",
    "predict": "zoo.cli.predict.verb:predict",
    "compare": "zoo.cli.main:_compare",
    "export": "zoo.cli.export.verb:export",
    "doctor": "zoo.cli.main:_doctor",
    "completion": "zoo.cli.completion:completion",
}
