"""`make fuzz`: fresh inputs for every property in turn, until the time is over. Prints its seed first.

    python -m tests.fuzz --seconds 600 --only conversation --only cost --seed 17

What fails becomes a file of the corpus, replayed by `make test` until it is mended and ever after; the exit code is then 1.
A seed repeats the inputs as long as the code that draws them and the version of hypothesis stay the same, the file always.
To shrink a find may take some minutes more.
"""

import argparse
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.fuzz.properties import PROPERTIES
from tests.fuzz.property import AnyProperty, Found

# A turn is short, so that each property has many in a run; a property that has failed is left alone for its rest.
TURN_EXAMPLES_FACTOR = 5
SEED_MAX = 2**32


def fuzz(properties: Sequence[AnyProperty], run_s: float, seed: int, clock: Callable[[], float]) -> int:
    """Search until `run_s` seconds have passed; returns how many properties failed."""
    print(f"fuzzing {len(properties)} properties for {run_s:.0f} s, seed {seed}", flush=True)
    chance = random.Random(seed)
    until_s = clock() + run_s
    going, drawn, failed = list(properties), Counter[str](), 0
    while going and clock() < until_s:
        for claim in list(going):
            examples = claim.examples * TURN_EXAMPLES_FACTOR
            turn_seed = chance.randrange(SEED_MAX)
            try:
                claim.search(examples, turn_seed)
            except Found as found:
                failed += 1
                going.remove(claim)
                _report(claim, found, turn_seed)
            drawn[claim.name] += examples
            if clock() >= until_s:
                break
    for name, count in drawn.items():
        print(f"{name:20} {count:>10,} inputs")
    print(f"{failed} of {len(properties)} properties failed")
    return failed


def _report(claim: AnyProperty, found: Found, turn_seed: int) -> None:
    path = claim.corpus / found.case.file_name()
    path.write_text(found.case.text())
    traceback.print_exception(found.__cause__, limit=-8, file=sys.stdout)
    print(f"{claim.name} fails: {found.case.showed}")
    print(f"  kept as   {path}")
    print(f"  replay    make test TEST_ARGS='tests/fuzz -k {path.stem}'")
    print(f"  draw again with seed {turn_seed} of this property, shrunk to the file", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description="Search the properties with fresh inputs."
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="how long, in seconds (default 60)")
    parser.add_argument("--seed", type=int, default=None, help="repeat a run (default: a fresh one, printed)")
    parser.add_argument(
        "--only", action="append", choices=[each.name for each in PROPERTIES], help="one property; repeat for more"
    )
    given = parser.parse_args(arguments)
    seed = random.SystemRandom().randrange(SEED_MAX) if given.seed is None else given.seed
    chosen = [each for each in PROPERTIES if not given.only or each.name in given.only]
    assert all(Path(each.corpus).is_dir() for each in chosen)
    return 1 if fuzz(chosen, given.seconds, seed, time.monotonic) else 0


if __name__ == "__main__":
    sys.exit(main())
