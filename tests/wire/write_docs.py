"""Write the pages of docs/ that are made of tests and tables: `make docs`, or `python -m tests.wire.write_docs`."""

import sys

import pytest

from tests.wire.conformance import table
from tests.wire.conftest import shown_by
from tests.wire.page import wire_page


class _Writer:
    """A pytest plugin that runs nothing and writes the table of what was collected."""

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        shown = shown_by(session.config)
        assert shown.complete
        table.PAGE.write_text(table.page(shown), encoding="utf-8")


def main() -> int:
    wire_page.write()
    return pytest.main([str(table.TESTS), "--collect-only", "-qqq", "--disable-warnings"], plugins=[_Writer()])


if __name__ == "__main__":
    sys.exit(main())
