"""A model card: what a model is, how it was trained and measured, and how it is used, as Markdown.

Source: Mitchell et al. 2019, https://arxiv.org/abs/1810.03993
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import yaml

from zoo.catalogue import definitions, recipes
from zoo.checkpoints.checkpoint import corpus_state
from zoo.checkpoints.checkpoint import read as read_checkpoint
from zoo.cli.markdown import cell, code, licence, table
from zoo.files import parsed, write_text
from zoo.runs.history import PER_RUN, parse_test, read
from zoo.runs.rounding import rounded
from zoo.version import zoo_version

MOST = 200  # labels or columns that are listed


class Card(NamedTuple):
    """What a card is written of.

    Attributes:
        checkpoint: The content of the checkpoint.
        source: Where it was.
        path: The exported file.
        digest: Its SHA-256.
        size: Parameters of the model.
        lines: What is said of the file: titles and texts.
    """

    checkpoint: dict[str, Any]
    source: Path
    path: Path
    digest: str
    size: int
    lines: Sequence[tuple[str, str]]

    @property
    def run(self) -> Path | None:
        """The folder of the run, if the checkpoint is in one."""
        folder = self.source.parent.parent
        own = self.source.parent.name == "checkpoints" and (folder / "config.yaml").is_file()
        return folder if own else None

    @property
    def state(self) -> dict[str, Any]:
        return corpus_state(self.checkpoint) or {}

    def write(self, text: str) -> Path:
        """Writes the card beside the file; returns where it is."""
        path = self.path.with_name(f"{self.path.name}.md")
        write_text(path, text)
        return path


def of_checkpoint(path: Path, model: Any) -> str:
    """The card of a checkpoint of a model itself.

    Raises:
        InputError: A file of the run cannot be read.
    """
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    use = f"zoo predict --ckpt_path {path.name} ..., or in Python zoo.load({path.name!r})"
    return text_of(Card(read_checkpoint(path), path, path, digest, size_of(model), [("use", use)]))


def size_of(model: Any) -> int:
    """Parameters of a model."""
    return sum(parameter.numel() for parameter in model.parameters())


def text_of(card: Card) -> str:
    """The card.

    Raises:
        InputError: A file of the run cannot be read.
    """
    return "\n".join(_text(card)) + "\n"


def _text(card: Card) -> Iterator[str]:
    name = card.checkpoint["zoo"]["class_path"].rpartition(".")[2]
    corpus = card.checkpoint["zoo"].get("corpus")
    definition = definitions().get(card.checkpoint["zoo"]["class_path"])
    yield f"# {name}" + (f" on {corpus}" if corpus else "")
    yield ""
    if definition:
        yield definition.summary
        yield ""
    yield from table(("", ""), _facts(card, definition))
    yield from ["", "## Use", ""]
    yield from (f"- {title}: {cell(text)}" for title, text in card.lines)
    yield from ["", "## Results", ""]
    yield from _results(card)
    yield from ["", "## Settings", "", "```yaml"]
    yield yaml.safe_dump(_settings(card), sort_keys=False, allow_unicode=True).rstrip()
    yield "```"
    yield from _known(card.state)


def _facts(card: Card, definition: Any) -> Iterator[tuple[str, str]]:
    zoo = card.checkpoint["zoo"]
    yield "architecture", f"`{zoo['class_path']}`, {card.size:,} parameters"
    if definition and "Paper" in definition.header:
        yield "paper", definition.header["Paper"]
    yield from _corpus(card)
    if card.run:
        known = card.run.parent.name in recipes()
        yield "recipe" if known else "run", f"`{card.run.parent.name}`, run {card.run.name}"
    if "epoch" in card.checkpoint:
        step = card.checkpoint.get("global_step", 0)
        yield "trained", f"to step {step:,}, in epoch {card.checkpoint['epoch'] + 1:,}"
    yield "zoo", f"trained by {zoo.get('version')}, exported by {zoo_version()}"
    yield "licence", licence()
    yield "file", f"`{card.path.name}`, SHA-256 `{card.digest}`"


def _corpus(card: Card) -> Iterator[tuple[str, str]]:
    if not card.state:
        yield "corpus", "not said by the checkpoint"
        return
    definition = definitions().get(card.state["class_path"])
    parts = [f"`{card.state['class_path']}`"]
    if card.state.get("arguments", {}).get("synthetic"):
        parts.append("**its generated stand-in, not the corpus itself**")
    if definition:
        parts += [definition.summary, definition.header.get("Source", "")]
    yield "corpus", "; ".join(text.rstrip(".") for text in parts if text)


def _results(card: Card) -> Iterator[str]:
    """What was measured of this checkpoint: by `zoo test`, and in validation after its epoch."""
    rows = dict(_validated(card))
    note = "Not tested: `zoo test --ckpt_path ...` measures it once."
    if card.run and (card.run / "test.json").is_file():
        record = parsed(card.run / "test.json", parse_test)
        if record.get("checkpoint") == card.source.name:
            rows |= record["metrics"]
            note = f"Tested {record.get('date')} on {record.get('corpus')}."
            for name, how in record.get("signatures", {}).items():
                note += f" {name}: `{how}`."
    if rows:
        values = [(name, rounded(float(value))) for name, value in sorted(rows.items())]
        yield from table(("metric", "value"), values)
        yield ""
    yield cell(note)


def _validated(card: Card) -> Iterator[tuple[str, float]]:
    """The validation metrics that were logged in the epoch of the checkpoint."""
    if not card.run or not any(card.run.glob("metrics*.csv")):
        return
    for line in read(card.run, "").lines:
        if line.get("epoch") == card.checkpoint.get("epoch"):
            yield from ((name, value) for name, value in line.items() if name.startswith("val/"))


def _settings(card: Card) -> dict[str, Any]:
    """The run's settings, or what the checkpoint knows of them, without places on this machine."""
    config: Any = None
    if card.run:
        config = parsed(card.run / "config.yaml", yaml.safe_load)
    if not isinstance(config, dict):
        given = card.checkpoint.get("hyper_parameters", {})
        model = {"class_path": card.checkpoint["zoo"]["class_path"], "init_args": given}
        data = {k: card.state[k] for k in ("class_path", "arguments") if k in card.state}
        config = {"model": model, "data": data}
    return _plain(config)


def _plain(value: Any) -> Any:
    """Settings as YAML writes them: what is unset, each run's own or a folder is left out."""
    if isinstance(value, dict):
        return {
            str(key): _plain(item)
            for key, item in value.items()
            if item is not None and key not in PER_RUN and str(key)[:1] != "_"
        }
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str) and PurePath(value).is_absolute():
        return PurePath(value).name
    return value if isinstance(value, bool | int | float | str) else str(value)


def _known(state: dict[str, Any]) -> Iterator[str]:
    """What the corpus left in the checkpoint: labels, vocabularies, the encoding of columns."""
    labels = state.get("labels") or state.get("classes")
    if labels:
        yield from ["", "## Labels", ""]
        yield from (f"{number}. {cell(str(text))}" for number, text in _first(labels))
    for name in ("vocabulary", "source_vocabulary", "target_vocabulary"):
        if name in state:
            words = " ".join(code(str(word)) for word in state[name][:10])
            yield from ["", f"## {name.replace('_', ' ').capitalize()}", ""]
            yield f"{len(state[name]):,} entries, whole in the file: {words} ..."
    if "tokenizer" in state:
        cleaned = "cleaned" if state.get("clean") else "as they are"
        yield from ["", f"Texts are {cleaned}, then cut by the tokenizer `{state['tokenizer']}`."]
    if "mean" in state:
        yield from ["", "## Normalisation", ""]
        yield f"(pixel in [0, 1] - mean) / std, mean {state['mean']}, std {state['std']}."
    if "encoder" in state:
        yield from _columns(state["encoder"])


def _columns(encoder: dict[str, Any]) -> Iterator[str]:
    yield from ["", "## Features", ""]
    yield "In order: numbers as ((log(1 + x) or x) - mean) / std, then a feature for each word."
    yield ""
    scales = [
        (name, f"{mean:.8g}", f"{std:.8g}", "log(1 + x)" if logarithm else "x")
        for name, (mean, std, logarithm) in encoder["scales"].items()
    ]
    yield from table(("column", "mean", "std", "of"), scales[:MOST])
    if encoder["words"]:
        yield ""
        yield from (
            f"- {cell(name)}: {', '.join(cell(str(word)) for word in words[:MOST])}"
            for name, words in encoder["words"].items()
        )


def _first(items: Sequence[Any]) -> Iterator[tuple[int, Any]]:
    """The first of many, with their numbers from 0."""
    yield from list(enumerate(items))[:MOST]
    if len(items) > MOST:
        yield MOST, f"... and {len(items) - MOST:,} more, which the file has"
