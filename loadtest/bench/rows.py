"""The rows of `pushrig bench`: which sender against which server, how many notifications, and what they need."""

from typing import NamedTuple

from loadtest.bench.tools import AIOAPNS, H2, H2LOAD, HTTPX, LOCUST, NGHTTPD, Tool


class RowSpec(NamedTuple):
    """One row. `sender`, `server`: names known to `senders` and `servers`.

    `divisor`: a run has so many times fewer notifications than `--notifications` says, since not all senders and servers
    are fast. `encoding`: of header fields, for the ruler sender. `needs`: beyond what the project depends on.
    """

    name: str
    title: str
    sender: str
    server: str
    divisor: int = 1
    encoding: str = "literal"
    needs: Tool | None = None


ROWS = (
    RowSpec("ruler", "ruler sender → ruler server (bare work)", "ruler", "ruler"),
    RowSpec("simulator", "reference sender → simulator", "reference", "simulator"),
    RowSpec("fcm", "reference sender → simulator, over FCM", "reference-fcm", "simulator"),
    RowSpec("sender", "reference sender → ruler server", "reference", "ruler"),
    RowSpec("ruler-sender", "ruler sender → simulator", "ruler", "simulator"),
    RowSpec("campaign", "store → reference sender → simulator", "campaign", "simulator"),
    RowSpec("store-sender", "store → reference sender → ruler server", "campaign", "ruler"),
    RowSpec("locust", "Locust → simulator", "locust", "simulator", needs=LOCUST),
    RowSpec("locust-fcm", "Locust → simulator, over FCM", "locust-fcm", "simulator", needs=LOCUST),
    RowSpec("h2load", "h2load → simulator", "h2load", "simulator", divisor=2, needs=H2LOAD),
    RowSpec("nghttpd", "h2load → nghttpd", "h2load", "nghttpd", divisor=2, needs=NGHTTPD),
    RowSpec("encoding-h2", "header fields as h2 codes them → simulator", "ruler", "simulator", 4, "h2"),
    RowSpec("encoding-nghttp2", "header fields as nghttp2 codes them → simulator", "ruler", "simulator", 4, "nghttp2"),
    RowSpec("h2", "reference sender → server on the library h2", "reference", "h2", divisor=20, needs=H2),
    RowSpec("hypercorn", "reference sender → Hypercorn with Starlette", "reference", "hypercorn", divisor=50),
    RowSpec("aioapns", "aioapns → simulator", "aioapns", "simulator", divisor=50, needs=AIOAPNS),
    RowSpec("httpx", "httpx → simulator", "httpx", "simulator", divisor=200, needs=HTTPX),
)

# The row of the bare work: beside it the machine cancels out.
YARDSTICK = "ruler"
NAMES = tuple(row.name for row in ROWS)
# Below this a run would measure handshakes.
NOTIFICATIONS_MIN = 100


def count_of(row: RowSpec, notifications: int) -> int:
    """How many notifications a run of the row has."""
    return max(min(NOTIFICATIONS_MIN, notifications), notifications // row.divisor)


def chosen(only: tuple[str, ...]) -> tuple[RowSpec, ...]:
    """The rows of these names in the table's order; all of them for none. Raises ValueError for a name that is none."""
    unknown = [name for name in only if name not in NAMES]
    if unknown:
        raise ValueError(f"there is no row {unknown[0]!r}; the rows are {', '.join(NAMES)}")
    return tuple(row for row in ROWS if not only or row.name in only)
