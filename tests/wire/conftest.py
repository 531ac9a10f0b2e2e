"""The marker of the requirements, and what all tests of this folder have collected of it."""

from collections import defaultdict

import pytest

from tests.wire.conformance.table import Shown
from tests.wire.conformance.transcript import Row

_SHOWN = pytest.StashKey[Shown]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "requirement(row, case): shows this requirement of the RFCs")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Before anything is deselected: who shows what."""
    found: dict[Row, set[str]] = defaultdict(set)
    for item in items:
        for mark in item.iter_markers("requirement"):
            row, case = mark.args
            name = getattr(item, "originalname", item.name)
            found[row].add(
                f"{item.path.name}: {name.removeprefix('test_').replace('_', ' ')}" + (f" {case}" if case else "")
            )
    files = frozenset(item.path for item in items)
    config.stash[_SHOWN] = Shown({row: sorted(names) for row, names in found.items()}, files)


def shown_by(config: pytest.Config) -> Shown:
    """The requirements shown by what was collected."""
    return config.stash[_SHOWN]


@pytest.fixture
def shown(pytestconfig: pytest.Config) -> Shown:
    """The requirements shown by what was collected."""
    return shown_by(pytestconfig)
