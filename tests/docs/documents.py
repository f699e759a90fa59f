"""The README and the pages of the course guide as a reader runs them: their blocks, cut down."""

import csv
import importlib
import re
import shlex
import shutil
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

import yaml

from tests.conftest import PLAIN, ROOT, shrunk
from zoo.catalogue import Recipe
from zoo.cli.compose import compose
from zoo.cli.main import OVERRIDE
from zoo.cli.overlays import TRAIN, split
from zoo.cli.parser import build_parser

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [path for path in DOCUMENTS if path.parent.name == "topics"]
FENCE = re.compile(r"^(\s*)```(\w*)\n(.*?)^\1```\s*$", re.M | re.S)
OWN_FILES = ("path", "annotations", "content")  # options that name all that is trained on
UNKNOWN = {"chip": "ship"}  # words that no stand-in has
PLACEHOLDERS = UNKNOWN | {"PICTURE": "photo.jpg", "RECIPE": "lenet-fashion_mnist", "...": ""}


class Block(NamedTuple):
    """A fenced block.

    Attributes:
        language: bash, python, text ...
        line: In the document, of its first line.
        text: Without the fences.
    """

    language: str
    line: int
    text: str


class Command(NamedTuple):
    """One command of a block.

    Attributes:
        line: In the document.
        text: As it is written, without the comment.
        words: Of the command, without where its output goes.
        output: The file that gets what it prints.
    """

    line: int
    text: str
    words: list[str]
    output: str | None


def name_of(document):
    return str(document.relative_to(ROOT)) if document.is_relative_to(ROOT) else document.name


def blocks(document):
    text = document.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        yield Block(found[2], text.count("\n", 0, found.start()) + 2, dedent(found[3]))


def commands(block):
    """The commands of a block: a line each, or several with && between them."""
    line, begun = block.line, ""
    for number, text in enumerate(block.text.splitlines(), block.line):
        line = line if begun else number
        begun += text
        if begun.endswith("\\"):
            begun = begun[:-1]
            continue
        words, begun = shlex.split(begun, comments=True), ""
        while words:
            end = words.index("&&") if "&&" in words else len(words)
            yield _command(line, words[:end])
            words = words[end + 1 :]


def _command(line, words):
    text, output = shlex.join(words), None
    if len(words) > 2 and words[-2] in (">", ">>"):
        *words, _, output = words
    return Command(line, text, words, output)


def spoken(document):
    """Commands in backticks within the prose, with their lines."""
    prose = FENCE.sub(lambda found: "\n" * found[0].count("\n"), document.read_text("utf-8"))
    for found in re.finditer(r"`([^`]+)`", prose):
        yield prose.count("\n", 0, found.start()) + 1, " ".join(found[1].split())


def expanded(words):
    """Names that a shell or a reader would put in."""
    words = [PLACEHOLDERS.get(word, word) for word in words]
    found = (sorted(map(str, Path().glob(word))) if "*" in word else [] for word in words)
    return [
        each for word, some in zip(words, found, strict=True) for each in some or [word] if each
    ]


def cut_down(words):
    """The words of a `zoo` command and what makes it small: two batches, small pictures."""
    verb, *rest = words[1:]
    if verb in TRAIN:
        rest = _trained(verb, rest)
    elif verb in ("test", "validate"):
        rest += [f"--trainer.limit_{verb.replace('validate', 'val')}_batches", "2"]
    elif verb == "sweep":
        rest += ["--count", "1", "--trainer.limit_train_batches", "2"]
    elif verb == "show" and "--augmented" in rest and "--data.path" not in rest:
        rest += ["--data.synthetic", "true"]
    elif verb == "prepare":
        rest = [*without(rest, "--from"), "--synthetic"]
    return [verb, *rest]


def _trained(verb, rest):
    rest = ["disabled" if word == "online" else word for word in rest]
    for option in ("--trainer.devices", "--trainer.strategy", "--epochs", "--batch_size"):
        rest = without(rest, option)
    own = {word.partition("=")[0] for word in rest}
    rest = [word for word in rest if word != "+ddp"]  # of one process; test_distributed has two
    if "--allow" in rest:  # models of others, small as they are
        return [*rest, "--trainer.max_epochs", "1", "--trainer.accelerator", "cpu"]
    given = shrunk(recipe_of(verb, rest))
    small = list(zip(given[::2], given[1::2], strict=True))
    if own & {f"--data.{name}" for name in OWN_FILES}:
        small.remove(("--data.synthetic", "true"))
    small = [pair for pair in small if pair[0].startswith("--trainer") or pair[0] not in own]
    rest += [word for pair in small for word in pair]
    if verb == "fit" and "--ckpt_path" in own:
        # One more than what the checkpoint has seen; a schedule would have ended.
        rest += ["--trainer.max_epochs", "2", "--model.lr_scheduler", "null"]
    if verb == "tune":
        rest += ["--max", "64"]
    return [*rest, "--dry-run"] if verb == "submit" else rest


def recipe_of(verb, rest):
    """The recipe of a command that trains, or the like of one for what it names."""
    argv, _ = split([verb, *rest])
    tokens = joined(argv)
    overrides = [token for token in tokens if OVERRIDE.match(token)]
    rest = [token for token in tokens if not OVERRIDE.match(token)]
    options, _ = build_parser().parse_known_args(rest)
    named = (options.recipe, options.config, options.model, options.data)
    experiment = compose(*named, overrides, (), options.allow)
    for group in ("model", "data"):  # a file of --print_config says also what is not set
        given = experiment.config[group].get("init_args") or {}
        kept = {name: value for name, value in given.items() if value is not None}
        experiment.config[group]["init_args"] = kept
    return Recipe(experiment.name, Path(), yaml.safe_dump(experiment.config))


def joined(argv):
    """`--data.path my.txt` as one word, so that argparse does not take my.txt for a recipe."""
    words = []
    for word in argv:
        if words and re.match(r"--(trainer|model|data)\.[\w.]+$", words[-1]):
            words[-1] += f"={word}"
        else:
            words.append(word)
    return words


def without(words, option):
    """The words without an option and its value."""
    kept = list(words)
    while option in kept:
        at = kept.index(option)
        del kept[at : at + 2]
    return [word for word in kept if not word.startswith(f"{option}=")]


def script(words):
    """The module that `python -m scripts.X` runs, and its options; None for other commands."""
    python, *rest = words
    if Path(python).name not in ("python", "python3") or rest[:1] != ["-m"]:
        return None
    module = rest[1]
    package = (ROOT / Path(*module.split("."))).is_dir()
    return importlib.import_module(f"{module}.__main__" if package else module), rest[2:]


def bring(folder):
    """Writes what a reader brings: pictures, texts, pairs of sentences, boxes."""
    import numpy as np
    from PIL import Image

    from datamodules.synthetic import (
        garments,
        hot_dogs,
        phrases,
        prose,
        reviews,
        scenes,
        seedlings,
        sprites,
    )

    scenes.write(folder / "photo.jpg", folder / "painting.jpg")
    (shirt,) = garments.draw(np.array([6]), seed=0)
    Image.fromarray(shirt).save(folder / "shirt.png")
    prose.write_book(folder / "my.txt", num_paragraphs=40)
    phrases.write_pairs(folder / "pairs.tsv", num_pairs=6000)
    seedlings.write(folder / "seedlings.csv")
    rows = (folder / "seedlings.csv").read_text(encoding="utf-8").splitlines()
    unlabelled = [row.rpartition(",")[0] for row in rows[:5]]
    (folder / "new.csv").write_text("\n".join([*unlabelled, ""]), encoding="utf-8")
    reviews.write(folder / "messages")
    files = sorted(folder.glob("messages/*/*/*"))
    texts = [(path.read_text("utf-8"), path.parent.name) for path in files[:: len(files) // 60]]
    lists = {"messages.csv": ("text", "label"), "more.csv": ("text",)}
    for name, columns in lists.items():
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([columns, *(text[: len(columns)] for text in texts)])
    (folder / "note.txt").write_text(texts[0][0], encoding="utf-8")
    lines = (folder / "pairs.tsv").read_text(encoding="utf-8").splitlines()
    for column, name in enumerate(("source.en", "target.fr")):
        side = [line.split("\t")[column] for line in lines]
        (folder / name).write_text("\n".join([*side, ""]), encoding="utf-8")
    english = [line.partition("\t")[0] for line in lines[:3]]
    (folder / "english.txt").write_text("\n".join([*english, ""]), encoding="utf-8")
    hot_dogs.write(folder / "new_pets")
    (folder / "new_pets" / "train").rename(folder / "pets")
    shutil.copytree(folder / "pets" / "hotdog", folder / "new")
    (folder / "photographs").mkdir()
    with (folder / "pets.csv").open("w", encoding="utf-8", newline="") as file:
        rows = [("file", "label")]
        for path in sorted(folder.glob("pets/*/?.jpg")):
            name = f"{path.parent.name}-{path.name}"
            shutil.copyfile(path, folder / "photographs" / name)
            rows.append((name, path.parent.name))
        csv.writer(file).writerows(rows)
    package = folder / "my_package"
    package.mkdir()
    (package / "__init__.py").touch()
    for name in ("nets", "data"):
        (package / f"{name}.py").write_text(PLAIN, encoding="utf-8")
    sprites.write_coco(folder / "coco")
    (folder / "coco" / "train.json").rename(folder / "boxes.json")
    (folder / "coco" / "pictures").rename(folder / "photos")
    sprites.write_yolo(folder / "yolo")
    sprites.write_voc(folder / "voc")
    (folder / "scripts").symlink_to(ROOT / "scripts")
