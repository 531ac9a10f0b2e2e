"""How long device tokens take to mint, and what files of them take, as `pushrig tokens` writes them."""

import tempfile
import time
from collections import deque
from pathlib import Path

from loadtest.bench.records import Minting, TokenFile
from loadtest.token_files import FileFormat, write_file
from simulator.devices.token_space import Environment, Population

DEVICES = 100_000
TOPIC = "com.example.app"
# A device store is measured by the campaigns, see `cost`.
FORMATS = (FileFormat.CSV, FileFormat.JSONL)


def measure_minting(seed: int, devices: int = DEVICES) -> Minting:
    """CPU time and bytes of one device, over `devices` of them."""
    population = Population(seed, devices, TOPIC, Environment.PRODUCTION, ())
    started_at_s = time.process_time()
    deque(population.mint_range(), maxlen=0)
    mint_s = time.process_time() - started_at_s
    files = []
    with tempfile.TemporaryDirectory(prefix="pushrig-bench-") as name:
        # Who the devices belong to is drawn once for all of them, before the clock runs.
        write_file(Path(name) / "few.csv", FileFormat.CSV, population, 0, 1, lambda rows: None)
        for each in FORMATS:
            file = Path(name) / f"tokens{each.value}"
            started_at_s = time.process_time()
            write_file(file, each, population, 0, devices, lambda rows: None)
            spent_s = time.process_time() - started_at_s
            bytes_each = file.stat().st_size / devices
            files.append(TokenFile(each.value, round(1e6 * spent_s / devices, 2), round(bytes_each, 1)))
    return Minting(devices, round(1e6 * mint_s / devices, 2), files)
