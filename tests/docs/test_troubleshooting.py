"""docs/troubleshooting.md: every message that it quotes is one of the zoo's."""

import ast
import re
from pathlib import Path

import pytest

HOME = Path(__file__).parents[2]
PAGE = HOME / "docs" / "troubleshooting.md"
ROWS = re.findall(r"^\| (`.*?) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
MESSAGES = [part for row in ROWS for part in re.findall(r"`(.+?)`", row)]


@pytest.fixture(scope="module")
def said():
    """All text of the packages, as the interpreter joins it; values are left out as {}."""
    texts = []
    for package in ("zoo", "datamodules"):
        for path in (HOME / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    texts.append(node.value)
                elif isinstance(node, ast.JoinedStr):
                    parts = (getattr(part, "value", None) for part in node.values)
                    texts.append("".join(p if isinstance(p, str) else "{}" for p in parts))
    return "\n".join(texts)


@pytest.mark.parametrize("message", MESSAGES)
def test_message_exists(message, said):
    pattern = re.escape(message).replace(r"zoo\ fit\ ", r"zoo \{\}\ ").replace(r"recipe", ".*")
    assert re.search(pattern, said), f"no message says: {message}"


def test_there_are_messages():
    assert len(MESSAGES) > 20
