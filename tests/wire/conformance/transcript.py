"""Rows of the RFCs' transcripts."""

from collections.abc import Sequence
from dataclasses import dataclass

HTTP2 = "RFC 9113"
HPACK = "RFC 7541"


@dataclass(frozen=True)
class Row:
    """One requirement. `quote`: the RFC's words, "…" where some are left out. `outside`: why no end of ours can show it."""

    document: str
    section: str
    quote: str
    outside: str = ""


def rows(document: str, sections: dict[str, Sequence[str | tuple[str, str]]]) -> tuple[Row, ...]:
    """A transcript: by section, quotes, or pairs of a quote and why it is outside."""
    return tuple(
        Row(document, section, *((entry,) if isinstance(entry, str) else entry))
        for section, entries in sections.items()
        for entry in entries
    )
