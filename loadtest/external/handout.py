"""Which devices each sender gets, and the files that tell it: written one device after the other, whatever their number."""

import csv
from collections.abc import Collection, Iterator
from itertools import islice, pairwise
from pathlib import Path

from loadtest.token_files import FileFormat, write_file
from simulator.devices.draws import Devices

TOKENS, REPLAYED, CSV, STORE, URLS = "tokens.txt", "replayed.csv", "devices.csv", "devices.db", "urls.txt"
_LINES_A_WRITE = 4_096


def shares_of(start: int, stop: int, senders: int) -> list[range]:
    """Divide the indices among the senders: neighbours together, sizes that differ by one at most."""
    count = stop - start
    bounds = [start + count * number // senders for number in range(senders + 1)]
    return [range(first, last) for first, last in pairwise(bounds)]


def write_files(
    folder: Path, population: Devices, share: range, endpoint: str, names: Collection[str]
) -> dict[str, str]:
    """Write what a sender is told of its devices; return what `names` of its command stand for, as far as they are files.

    The list of tokens, and the table that `pushrig replay` has, are always there. Raises `OSError`.
    """
    first, last = share.start, share.stop
    _write_lines(folder / TOKENS, (f"{each.token}\n" for each in population.mint_range(first, last)))
    _write_replayed(folder / REPLAYED, population, share)
    if "csv" in names:
        write_file(folder / CSV, FileFormat.CSV, population, first, last, _no_progress)
    if "store" in names:
        write_file(folder / STORE, FileFormat.STORE, population, first, last, _no_progress)
    if "urls" in names:
        urls = (f"{endpoint}/3/device/{each.token}\n" for each in population.mint_range(first, last))
        _write_lines(folder / URLS, urls)
    files = {"tokens": TOKENS, "csv": CSV, "store": STORE, "urls": URLS}
    return {name: str(folder / file) for name, file in files.items()}


def _write_lines(path: Path, lines: Iterator[str]) -> None:
    with path.open("x", encoding="utf-8") as file:
        while chunk := "".join(islice(lines, _LINES_A_WRITE)):
            file.write(chunk)


def _write_replayed(path: Path, population: Devices, share: range) -> None:
    with path.open("x", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("token", "registered_at_ms"))
        writer.writerows((each.token, each.registered_at_ms) for each in population.mint_range(share.start, share.stop))


def _no_progress(_done: int) -> None:
    """Nobody waits for it."""
