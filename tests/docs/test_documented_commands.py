"""What README and course guide tell a reader to type works: commands, Python, links, pages."""

import re
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent

import pytest
from matplotlib.figure import Figure
from PIL import Image

from tests.conftest import ROOT
from tests.docs.documents import (
    DOCUMENTS,
    FENCE,
    PAGES,
    Block,
    blocks,
    bring,
    commands,
    cut_down,
    expanded,
    name_of,
    script,
    spoken,
)
from zoo.catalogue import recipes
from zoo.cli.main import VERBS, main
from zoo.cli.overlays import TRAIN, overlays
from zoo.errors import InputError

sys.path.insert(0, str(ROOT))  # scripts is not installed
NO_NETWORK = "http://127.0.0.1:9"  # where nobody answers
HEADINGS = ["Read", "Run", "Expect", "Exercises"]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def is_a_program(command, capsys):
    path = ROOT / command.words[0]
    assert path.is_file()
    assert path.stat().st_mode & 0o111


def names_figures(command, capsys):
    module, options = script(command.words)
    assert module.main([*options, "--list"]) == 0


# Commands that a test cannot run: why, and what of them is looked at all the same.
CANNOT_RUN = {
    r"\./scripts/quickstart$": ("installs the zoo", is_a_program),
    r"\./scripts/test$": ("runs this test", is_a_program),
    r"\S*python -m scripts\.figures\b": ("trains for minutes", names_figures),
}


def reason_not_to_run(command):
    return next((key for key in CANNOT_RUN if re.match(key, command.text)), None)


def all_commands(document):
    for block in blocks(document):
        if block.language == "bash":
            yield from commands(block)


@pytest.fixture(scope="session")
def brought(tmp_path_factory):
    folder = tmp_path_factory.mktemp("brought")
    bring(folder)
    return folder


@pytest.fixture
def reader(brought, torchvisions, monkeypatch, tmp_path):
    """The folder of a reader who has pictures and texts, torchvision's weights and no network."""
    folder = tmp_path / "reader"
    shutil.copytree(brought, folder, symlinks=True)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("TORCH_HOME", str(torchvisions))
    monkeypatch.setattr(Figure, "savefig", plain)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, NO_NETWORK)
    return folder


def plain(figure, file, **options):
    """A grey picture: to lay out a good one takes half the time, and test_recipes does it."""
    Image.new("L", figure.canvas.get_width_height()).save(file, "PNG")


def run(document, capsys):
    """Runs the blocks of a document in their order."""
    names = {"__name__": "__main__"}
    for block in blocks(document):
        if block.language == "python":
            code = compile(block.text, f"{name_of(document)}:{block.line}", "exec")
            exec(code, names)
        elif block.language == "bash":
            for command in commands(block):
                obey(command, f"{name_of(document)}:{command.line}", capsys)


def obey(command, where, capsys):
    """Runs one command, or what can be run of it."""
    capsys.readouterr()
    if key := reason_not_to_run(command):
        CANNOT_RUN[key][1](command, capsys)
        return
    assert command.words[0] == "zoo", f"{where}: no test runs this: {command.text}"
    try:
        argv = cut_down(expanded(command.words))
    except InputError as error:
        raise AssertionError(f"{where}: {command.text}\n{error}") from None
    code = main(argv)
    said = capsys.readouterr()
    assert code == 0, f"{where}: {command.text}\n(zoo {' '.join(argv)})\n{said.err}"
    if command.output:
        with Path(command.output.replace("~", ".")).open("a", encoding="utf-8") as file:
            file.write(said.out)


def marked(document):
    """All but the README are slow."""
    marks = [pytest.mark.slow] if document.name != "README.md" else []
    return pytest.param(document, id=name_of(document), marks=marks)


@pytest.mark.parametrize("document", map(marked, DOCUMENTS))
def test_every_block_runs(document, reader, capsys):
    run(document, capsys)


WRONG = {
    "a recipe": "```bash\nzoo fit lenet-fashion_mnst\n```\n",
    "an option": "```bash\nzoo list && zoo fit lenet-fashion_mnist --model.activatoin relu\n```\n",
    "a checkpoint": "```bash\nzoo test --ckpt_path runs/lenet-fashion_mnist/1/best.ckpt\n```\n",
    "a figure": "```bash\npython -m scripts.figures --only 99\n```\n",
    "a program": "```bash\ncurl example.org\n```\n",
    "Python": "1. In a list:\n\n   ```python\n   assert not __name__\n   ```\n",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_a_wrong_command_fails(text, capsys):
    Path("page.md").write_text(text, encoding="utf-8")
    with pytest.raises(AssertionError):
        run(Path("page.md").absolute(), capsys)


def test_a_block_is_cut_into_commands():
    text = """
        zoo list  # all
        zoo fit a && zoo test \\
          --ckpt_path b
        zoo fit a --print_config > mine.yaml
    """
    block = Block("bash", 7, dedent(text).strip())
    found = [(c.line, " ".join(c.words), c.output) for c in commands(block)]
    assert found == [
        (7, "zoo list", None),
        (8, "zoo fit a", None),
        (8, "zoo test --ckpt_path b", None),
        (10, "zoo fit a --print_config", "mine.yaml"),
    ]


@pytest.mark.parametrize("key", CANNOT_RUN)
def test_what_cannot_be_run_is_still_there(key):
    assert any(re.match(key, c.text) for document in DOCUMENTS for c in all_commands(document))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_commands_in_prose_exist(document):
    for line, text in spoken(document):
        where = f"{name_of(document)}:{line}: {text}"
        for module in re.findall(r"python -m (scripts(?:\.\w+)*)", text):
            assert find_spec(module), where
        verb, *words = [*text.split()[1:], "", ""] if text.startswith("zoo ") else [""]
        if re.match(r"[a-z]", verb):
            assert verb in VERBS, where
        named = verb in TRAIN and " does not know" not in text  # which is a message
        if named and re.match(r"[a-z]", words[0]):
            assert words[0] in recipes(), where
        for word in re.findall(r"\+([a-z]+)\b", text) if verb in TRAIN else ():
            assert word in overlays(), where


@pytest.mark.parametrize("document", [*DOCUMENTS, ROOT / "SECURITY.md"], ids=name_of)
def test_links_lead_somewhere(document):
    text = document.read_text(encoding="utf-8")
    targets = [target for target in LINK.findall(text) if not re.match(r"https?:|mailto:", target)]
    for target in targets:
        path, _, heading = target.partition("#")
        found = document.parent / path if path else document
        assert found.exists(), target
        if heading:
            assert heading in headings(found), target


def headings(document):
    """The anchors of the headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", document.read_text(encoding="utf-8"), re.M)
    return [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]


def test_there_is_a_page_for_each_topic():
    assert [path.stem for path in PAGES] == [f"{number:02}" for number in range(1, 31)]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_has_the_form_of_all(page):
    text = page.read_text(encoding="utf-8")
    assert re.search(rf"^<!-- results {page.stem} -->\n(.*\n)*<!-- /results -->$", text, re.M)
    text = re.sub(r"(?<=-->\n)(.*\n)*(?=<!-- /results)", "", text)  # which a script writes
    lines = text.splitlines()
    assert len(lines) < 60
    assert max(map(len, FENCE.sub("", text).splitlines())) <= 100
    assert re.match(rf"# {page.stem} \S", lines[0])
    assert [line.removeprefix("## ") for line in lines if line.startswith("## ")] == HEADINGS
