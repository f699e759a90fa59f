"""What a run survives, tried a few times; `--tries full`: as often as docs/clusters.md says."""

import pytest

from tests.durability.trial import Outcome


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    if config.getoption("--tries") != "few":
        for item in items:
            if item.get_closest_marker("tries"):
                item.add_marker(pytest.mark.timeout(0))


@pytest.fixture
def tries(request) -> int:
    """Number of tries: the first or the second of the mark `tries`, or the one that is given."""
    few, full = request.node.get_closest_marker("tries").args
    given = request.config.getoption("--tries")
    return {"few": few, "full": full}.get(given) or int(given)


@pytest.fixture
def outcome() -> Outcome:
    """An outcome that is printed in the end, for `-s`, and must have no failures."""
    return Outcome()


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item):
    result = yield
    if found := item.funcargs.get("outcome"):
        notes = "".join(f", {number:,} {what}" for what, number in found.notes.items())
        print(f"\n{item.name}: {found.tries:,} tries, {len(found.failures)} failures{notes}")
        assert found.tries
        assert not found.failures, "\n".join(found.failures)
    return result
