"""completion: what may follow on a command line, for bash, zsh and fish. No torch.

The script of a shell asks `zoo completion SHELL WORD ...` at each tab. The answer has a line for
each candidate: the word, a tab, a description; and a line `:files` where names of files fit, which
the shell itself completes.
"""

import argparse
import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import yaml

from zoo.catalogue import LOADER, architectures, corpora, optimizers, recipes, schedules
from zoo.checkpoints.bundled import bundled
from zoo.cli.foreign_signatures import first_sentence, torch_classes
from zoo.cli.help import Page
from zoo.cli.overlays import TRAIN, overlays
from zoo.cli.parser import Parser, build_parser
from zoo.cli.short_options import SHORT
from zoo.errors import InputError

BASH = r"""# Completion of zoo: zoo completion bash >> ~/.bashrc
_zoo() {
    local word=${COMP_WORDS[COMP_CWORD]} line files=
    if [ "$word" = "=" ]; then word=; fi
    COMPREPLY=()
    while IFS= read -r line; do
        if [ "$line" = ":files" ]; then files=1; else COMPREPLY+=("${line%%$'\t'*}"); fi
    done < <("${COMP_WORDS[0]}" completion bash "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
    if [ ${#COMPREPLY[@]} -eq 0 ]; then
        compopt +o nospace 2>/dev/null  # the shell completes names of files
    elif [ -n "$files" ]; then
        while IFS= read -r line; do
            case " ${COMPREPLY[*]}" in *" $line/"*) continue;; esac  # on the way to a candidate
            if [ -d "$line" ]; then COMPREPLY+=("$(printf %q "$line")/")
            else COMPREPLY+=("$(printf %q "$line") "); fi
        done < <(compgen -f -- "$word")
    fi
}
complete -o nospace -o bashdefault -o default -F _zoo zoo
"""
ZSH = r"""#compdef zoo
# Completion of zoo: zoo completion zsh >> ~/.zshrc
_zoo() {
    local line word files near
    local -a lines whole open
    local -a before=("${(@Q)words[1,CURRENT-1]}")
    lines=("${(@f)$("$before[1]" completion zsh "${(@)before[2,-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
    for line in "${lines[@]}"; do
        word=${line%%$'\t'*}
        if [[ $line == :files ]]; then files=1
        elif [[ $word == *[.=] ]]; then open+=("$word")
        elif [[ -n $word ]]; then whole+=("${word//:/\\:}:${line#*$'\t'}"); fi
    done
    [[ $PREFIX == --*=* ]] && compset -P '*='
    if (( $#whole + $#open == 0 )); then _files; return; fi
    if [[ -n $files ]]; then
        for near in ${(Q)PREFIX}*(N); do
            if [[ ! -d $near ]]; then whole+=("${near//:/\\:}:file")
            elif (( ! ${whole[(I)$near/*]} )); then open+=("$near/"); fi  # else on the way to one
        done
    fi
    (( $#whole )) && _describe -t values zoo whole
    (( $#open )) && compadd -S '' -- "${open[@]}"
}
if [[ $funcstack[1] == _zoo ]]; then
    _zoo "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
    compdef _zoo zoo
fi
"""
FISH = r"""# Completion of zoo: zoo completion fish > ~/.config/fish/completions/zoo.fish
function __zoo_complete
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    set -l found ($words[1] completion fish $words[2..] "$word" 2>/dev/null)
    for line in $found
        test "$line" = ":files"; or echo "$line"
    end
    if test (count $found) -eq 0; or contains -- ":files" $found
        set -l option (string match -r -- '^--[^=]*=' "$word")
        for path in (__fish_complete_path (string replace -r -- '^--[^=]*=' '' "$word"))
            set -l name (string split \t -- $path)[1]
            set -l way '^'(string escape --style=regex -- "$option$name")  # to a candidate
            string match -q -r -- "$way" $found; or echo "$option$path"
        end
    end
end
complete -c zoo -f -a '(__zoo_complete)'
"""
SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}
FILES = ":files"
VALUES = {  # of options of the Trainer that are not in its signature
    "precision": (
        *("32-true", "16-mixed", "bf16-mixed", "64-true", "16-true", "bf16-true"),
        *("transformer-engine", "transformer-engine-float16"),
    ),
    "accelerator": ("auto", "cpu", "gpu", "mps", "tpu"),
    "strategy": ("auto", "ddp", "ddp_find_unused_parameters_true", "fsdp", "deepspeed"),
    "fast_dev_run": ("true", "false"),
    "gradient_clip_algorithm": ("norm", "value"),
    "profiler": ("simple", "advanced", "pytorch"),
}
DOTTED = re.compile(r"--(trainer|model|data)\.\w")
Candidate = tuple[str, str]  # a word, and what it is


def completion(options: argparse.Namespace, overrides: list[str]) -> int:
    """Prints the script of a shell."""
    print(SCRIPTS[options.shell], end="")
    return 0


def answer(shell: str, words: Sequence[str]) -> int:
    """Prints what may follow.

    Args:
        shell: Name of the shell.
        words: Words after the command, of which the last is being typed; of bash the whole line.
    """
    words = _words(words[0]) if shell == "bash" else words
    typed = words[-1]
    found = list(_candidates(words[:-1], typed))
    option = re.match(r"--[^=]*=", typed)
    cut = len(option[0]) if option and shell != "fish" else 0  # those replace what follows a =
    for word, text in found:
        if word == FILES:
            print(FILES)
        elif word.startswith(typed):
            space = " " if shell == "bash" and not word.endswith((".", "=")) else ""
            print(f"{word[cut:]}{space}\t{first_sentence(text)}")
    return 0


def _words(line: str) -> list[str]:
    """Returns the words of a command line that is not yet whole, without the command."""
    end = "\0"
    for quote in ("", "'", '"'):
        with suppress(ValueError):
            words = shlex.split(f"{line}{end}{quote}")
            return [word.rstrip(end) for word in words[1:]] or [""]
    return [""]


def _candidates(before: Sequence[str], typed: str) -> Iterator[Candidate]:
    """Yields what may stand where a word is being typed."""
    parser = build_parser(before[0] if before else "")
    if not before:
        yield from ((name, verb.description or "") for name, verb in parser.verbs.items())
        yield from (("--help", ""), ("--version", ""))
        return
    verb = parser.verbs.get(before[0])
    if verb is None:
        yield FILES, ""
        return
    line = _Line(verb, before)
    name, equals, _ = typed.partition("=")
    if name.startswith("--") and equals:
        for word, text in line.values(name):
            yield (word if word == FILES else f"{name}={word}"), text
    elif line.expects_value(before[-1]):
        yield from line.values(before[-1])
    elif typed.startswith("-"):
        yield from line.options(typed)
    else:
        yield from line.names(typed)


def _class_in(file: Path, group: str) -> str | None:
    """Returns the class of a model or a corpus in a file of settings, None where it has none."""
    with suppress(OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError, AttributeError):
        found = yaml.load(file.read_text(encoding="utf-8"), Loader=LOADER).get(group)
        found = found if isinstance(found, str) else found.get("class_path")
        return found if isinstance(found, str) else None
    return None


class _Line:
    """A command line as far as it is typed.

    Attributes:
        verb: Name of its verb.
        parser: Parser of that.
        actions: Options of the verb itself.
        given: Values of options.
        positional: Words that are neither options nor their values.
        dotted: Options of the Trainer, and of what is named to be trained.
    """

    def __init__(self, parser: Parser, before: Sequence[str]) -> None:
        self.verb, self.parser = before[0], parser
        parts = [parser, *parser.parts()]  # of which the last have what the first does not say
        actions = [action for part in parts for action in part._actions]
        self.actions = {name: each for each in actions for name in each.option_strings}
        self.given, self.positional = dict[str, str](), list[str]()
        rest = iter(before[1:])
        for word in rest:
            name, equals, value = word.partition("=")
            if equals or self.expects_value(name):
                self.given[name] = value if equals else next(rest, "")
            elif not word.startswith(("-", "+")):
                self.positional.append(word)
        self.dotted = {f"--{name}": each for name, each in self._named().dotted().items()}

    def expects_value(self, name: str) -> bool:
        """Returns whether a value follows an option."""
        action = self.actions.get(name)
        return action.nargs != 0 if action else bool(DOTTED.match(name))

    def _named(self) -> Page:
        """Returns what is to be trained, or was, as far as it can be told."""
        named = dict[str, str | None].fromkeys(("recipe", "config", "model", "data"))
        file = Path(self.given.get("--config", ""))
        if self.verb in TRAIN:
            named["recipe"] = next(iter(self.positional), None)
        else:  # those that take a checkpoint, which lies in a run
            file = Path(self.given.get("--ckpt_path", "")).parent.parent / "config.yaml"
        for group in ("model", "data"):
            named[group] = self.given.get(f"--{group}") or _class_in(file, group)
        overrides = [f"{name}={value}" for name, value in self.given.items() if "." in name]
        with suppress(InputError):
            return Page(argparse.Namespace(**named, overlays=[], allow=[]), overrides)
        return Page(argparse.Namespace(**dict.fromkeys(named), overlays=[], allow=[]), [])

    def options(self, typed: str) -> Iterator[Candidate]:
        """Yields options: those of the Trainer, a model and a corpus once their group is typed."""
        yield from ((name, each.help or "") for name, each in self.actions.items())
        if self.verb in (*TRAIN, "validate", "test", "predict", "sweep"):
            groups = {name.partition(".")[0] for name in self.dotted}
            if "." in typed:
                yield from ((name, option.text) for name, option in self.dotted.items())
            else:
                yield from ((f"{group}.", "") for group in sorted(groups))

    def values(self, name: str) -> Iterator[Candidate]:
        """Yields values of an option."""
        full = SHORT.get(name.removeprefix("--"), ("", ""))[1]
        name = f"--{full}" if full else name
        action, option = self.actions.get(name), self.dotted.get(name)
        last = name.rpartition(".")[2]
        if action and action.choices:
            yield from ((str(choice), "") for choice in action.choices)
        elif name == "--model":
            yield from ((each.name, each.summary) for each in architectures().values())
        elif name == "--data":
            yield from ((each.name, each.summary) for each in corpora().values())
        elif name == "--task":
            yield from (
                (task, "") for task in {r.path.parent.name: None for r in recipes().values()}
            )
        elif name == "--ckpt_path":
            yield from self._checkpoints()
        elif name.startswith("--trainer.") and last in VALUES:
            yield from ((value, "") for value in VALUES[last])
        elif option and option.choices:
            yield from ((value, "") for value in option.choices)
        elif name.startswith("--model.") and last.endswith("optimizer"):
            yield from ((each, "") for each in {**optimizers(), **torch_classes("optimizer")})
        elif name.startswith("--model.") and last.endswith("lr_scheduler"):
            yield from ((each, "") for each in {**schedules(), **torch_classes("schedule")})
        else:
            yield FILES, ""

    def names(self, typed: str) -> Iterator[Candidate]:
        """Yields what may stand without an option."""
        added = [(f"+{name}", each.summary) for name, each in overlays().items()]
        if self.verb in TRAIN:
            if not self.positional:
                yield from ((name, each.summary) for name, each in recipes().items())
            if self.positional or typed:
                yield from added
        elif self.verb == "show" and not self.positional:
            for classes in (architectures(), corpora()):
                yield from ((name, each.summary) for name, each in classes.items())
            yield from [*((name, each.summary) for name, each in recipes().items()), *added]
        elif self.verb == "prepare" and not self.positional:
            yield from self.values("--data")
        elif self.verb == "export" and not self.positional:
            yield from self._checkpoints()
        elif positional := [each for each in self.parser._actions if not each.option_strings]:
            choices = positional[0].choices if not self.positional else None
            yield from ((str(choice), "") for choice in choices or (FILES,))

    def _checkpoints(self) -> Iterator[Candidate]:
        runs = Path(self.given.get("--runs", "runs"))
        for depth in ("*/*", "*/*/*"):  # runs, and folds of them
            yield from (
                (str(path), "") for path in sorted(runs.glob(f"{depth}/checkpoints/*.ckpt"))
            )
        if self.verb in TRAIN:
            yield "last", "the last checkpoint of this job, if it has run before"
        else:
            yield from ((name, "bundled") for name in bundled())
        yield FILES, ""
