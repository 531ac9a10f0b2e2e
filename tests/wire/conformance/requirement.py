"""The marker by which a test says which requirement of the RFCs it shows.

The transcripts beside this module list every MUST and MUST NOT of RFC 9113, sections 3 to 8, and of RFC 7541, in the RFC's own
words. docs/conformance.md is the table of both: requirements, and the tests that show them.
"""

import pytest

from tests.wire.conformance.rfc7541 import RFC7541
from tests.wire.conformance.rfc9113 import RFC9113
from tests.wire.conformance.transcript import HPACK, HTTP2

__all__ = ["HPACK", "HTTP2", "TRANSCRIPT", "requirement"]

TRANSCRIPT = RFC9113 + RFC7541


def requirement(document: str, section: str, quote: str, *, case: str = "") -> pytest.MarkDecorator:
    """Mark a test, or one row of a parametrised test, as showing a requirement.

    `quote`: how it begins in the transcript, as far as it takes to name one. `case`: which row, for the table.
    """
    found = [
        row for row in TRANSCRIPT if (row.document, row.section) == (document, section) and row.quote.startswith(quote)
    ]
    assert len(found) == 1, f"{document}, {section}: {len(found)} requirements begin with {quote!r}"
    return pytest.mark.requirement(found[0], case)
