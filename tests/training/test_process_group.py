"""Of two processes one fails, hangs or is killed: all are gone soon, and the cause is said."""

import pytest

from scripts.durability.ranks import FAULTY, SAID, SETTINGS, ends


@pytest.mark.parametrize(
    "fault",
    [
        fault if fault == "raise-1" else pytest.param(fault, marks=pytest.mark.slow)
        for fault in SAID
    ],
)
def test_a_fault_ends_all(fault, tmp_path):
    (tmp_path / "faulty.py").write_text(FAULTY)
    (tmp_path / "faulty.yaml").write_text(SETTINGS)
    assert ends(fault, tmp_path) is None
    assert not list(tmp_path.rglob(".failed-*"))
