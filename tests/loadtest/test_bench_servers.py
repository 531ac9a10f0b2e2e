"""What the bench does before it starts servers."""

import importlib.util
from pathlib import Path

import simulator.journal
from loadtest.bench.servers import write_bytecode


def test_the_compiler_is_not_measured_with_the_start() -> None:
    compiled = Path(importlib.util.cache_from_source(simulator.journal.__file__))
    compiled.unlink(missing_ok=True)
    write_bytecode()
    assert compiled.is_file()
