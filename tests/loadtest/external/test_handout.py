"""What senders are told of their devices."""

import csv
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from loadtest.external.handout import shares_of, write_files
from sender.store.device_store import DeviceStore
from simulator.devices.token_space import Environment, Population

POPULATION = Population(3, 40, "com.example.app", Environment.PRODUCTION, ())
TOKENS = [each.token for each in POPULATION.mint_range(10, 25)]


@given(st.integers(0, 1_000), st.integers(0, 10_000), st.integers(1, 64))
def test_every_index_is_in_one_share(start: int, count: int, senders: int) -> None:
    shares = shares_of(start, start + count, senders)
    assert [index for share in shares for index in share] == list(range(start, start + count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert len(shares) == senders


def test_each_file_lists_the_devices_of_the_share_and_no_other(tmp_path: Path) -> None:
    names = ("tokens", "csv", "store", "urls")
    files = write_files(tmp_path, POPULATION, range(10, 25), "https://localhost:8443", names)
    assert Path(files["tokens"]).read_text().splitlines() == TOKENS
    urls = Path(files["urls"]).read_text().splitlines()
    assert urls == [f"https://localhost:8443/3/device/{token}" for token in TOKENS]
    with Path(files["csv"]).open(newline="") as file:
        assert [row["token"] for row in csv.DictReader(file)] == TOKENS
    with DeviceStore.open(Path(files["store"])) as store:
        assert store.counts().valid == 15
    with (tmp_path / "replayed.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["token"] for row in rows] == TOKENS
    assert int(rows[0]["registered_at_ms"]) == POPULATION.mint(10).registered_at_ms


def test_files_that_nobody_asks_for_are_not_written(tmp_path: Path) -> None:
    write_files(tmp_path, POPULATION, range(10, 25), "https://localhost:8443", ())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["replayed.csv", "tokens.txt"]
