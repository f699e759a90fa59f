"""The `zoo` command: a light front end that imports torch only for what trains or predicts."""

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence

from datamodules.files.errors import CorpusError
from zoo.cli.names import meant
from zoo.cli.overlays import TRAIN, taken
from zoo.cli.parser import build_parser
from zoo.errors import InputError, NonFiniteError, RankError, StoppedError
from zoo.runs import folder as run_folder

OVERRIDE = re.compile(r"--(trainer|model|data)\.\w")
DOTTED = re.compile(r"--[\w]+\.[\w.]+\+?$")
NUMBER = re.compile(r"-[\d.]")


def _join_values(argv: Sequence[str]) -> list[str]:
    """`--trainer.x 5` -> `--trainer.x=5`, so that 5 is not taken for the name of a recipe."""
    joined: list[str] = []
    for token in argv:
        takes_value = joined and DOTTED.match(joined[-1])
        if takes_value and (not token.startswith("-") or NUMBER.match(token)):
            joined[-1] += f"={token}"
        else:
            joined.append(token)
    return joined


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code.

    That is 0, or 2 for bad input, 3 for a loss that is not finite, 130 after Ctrl-C and 143 after
    SIGTERM. Processes that another one started leave it to that to say so.
    """
    try:
        return _run(_join_values(sys.argv[1:] if argv is None else argv))
    except (InputError, CorpusError) as error:
        if not run_folder.given():
            print(f"zoo: {error}", file=sys.stderr)
        return 2
    except (NonFiniteError, StoppedError) as error:
        if run_folder.given():
            return 0  # Lightning kills the first process where another ends with an error
        print(f"zoo: {error}", file=sys.stderr)
        return error.code if isinstance(error, StoppedError) else 3
    except RankError as error:
        print(f"zoo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("zoo: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, head say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _run(argv: list[str]) -> int:
    parser = build_parser()
    argv, overlays = taken(argv)
    # Taken out first: argparse takes an option whose value has a space for a name.
    options, overrides = parser.parse_known_args([t for t in argv if not OVERRIDE.match(t)])
    overrides += [token for token in argv if OVERRIDE.match(token)]
    options.overlays = overlays
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
            known = re.findall(r"--[\w-]+", parser.verbs[options.verb].format_help())
            raise InputError(f"zoo {options.verb} does not know {name}{meant(name, known)}")
        if "=" not in option:
            raise InputError(f"{name} needs a value")
    return VERBS[options.verb](options, overrides)


def _list(options: argparse.Namespace, overrides: list[str]) -> int:
    from zoo.cli.show.listing import list_all

    list_all(options.kind, options.filter, as_json=options.json)
    return 0


def _show(options: argparse.Namespace, overrides: list[str]) -> int:
    if (overrides or options.output) and not options.augmented:
        raise InputError("--output and --data.X are for pictures: add --augmented")
    if options.layers:
        from zoo.cli.show.layers import show_layers

        show_layers(options.name)
    elif options.augmented:
        from zoo.cli.show.augmented import show_augmented

        show_augmented(options.name, options.output, overrides)
    elif options.card:
        from zoo.cli.show.name_card import show_card

        show_card(options.name)
    else:
        from zoo.cli.show.verb import show

        show(options.name)
    return 0


def _prepare(options: argparse.Namespace, overrides: list[str]) -> int:
    from zoo.cli.prepare import prepare

    prepare(options.corpus, options.source, options.root, options.synthetic)
    return 0


def _fit(options: argparse.Namespace, overrides: list[str]) -> int:
    from zoo.cli.run import fit

    return fit(options, overrides)


def _tune(options: argparse.Namespace, overrides: list[str]) -> int:
    from zoo.cli.tune.verb import tune

    return tune(options, overrides)


def _cross_validate(options: argparse.Namespace, overrides: list[str]) -> int:
    from zoo.cli.cross_validate import cross_validate

    return cross_validate(options, overrides)


def _sweep(options: argparse.Namespace, overrides: list[str]) -> int:
    from zoo.cli.sweep.verb import sweep

    return sweep(options, overrides)


def _submit(options: argparse.Namespace, overrides: list[str]) -> int:
    from zoo.cli.submit import submit

    return submit(options, overrides)


def _evaluate(options: argparse.Namespace, overrides: list[str]) -> int:
    from zoo.cli.run import evaluate

    return evaluate(options, overrides)


def _predict(options: argparse.Namespace, overrides: list[str]) -> int:
    from zoo.cli.predict.verb import predict

    names = ("length", "temperature", "top_k", "top_p", "seed")
    sampling = {name: getattr(options, name) for name in names}
    words = ("nearest", "analogy", "top", "export")
    asked = ("prompt", "text", "file", "beam", "n_best", *words, "num", "interpolate")
    named = {name: getattr(options, name) for name in asked}
    given = (options.ckpt_path, options.inputs, options.output, overrides)
    return predict(*given, sampling, options.allow, **named)


def _compare(options: argparse.Namespace, overrides: list[str]) -> int:
    from zoo.cli.compare_runs import compare

    files = {kind: getattr(options, kind) for kind in ("csv", "markdown", "html")}
    given = {"seeds": options.seeds, "wandb": options.wandb, "files": files}
    compare(options.runs, options.output, **given)
    return 0


def _export(options: argparse.Namespace, overrides: list[str]) -> int:
    from zoo.cli.export.verb import export

    return export(options)


def _doctor(options: argparse.Namespace, overrides: list[str]) -> int:
    from zoo.cli.doctor import doctor

    return doctor(options.json)


def _completion(options: argparse.Namespace, overrides: list[str]) -> int:
    import shtab

    print(shtab.complete(build_parser(), options.shell))
    return 0


VERBS: dict[str, Callable[[argparse.Namespace, list[str]], int]] = {
    "list": _list,
    "show": _show,
    "prepare": _prepare,
    "fit": _fit,
    "cross-validate": _cross_validate,
    "tune": _tune,
    "submit": _submit,
    "sweep": _sweep,
    "validate": _evaluate,
    "test": _evaluate,
    "predict": _predict,
    "compare": _compare,
    "export": _export,
    "doctor": _doctor,
    "completion": _completion,
}
