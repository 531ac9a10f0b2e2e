"""Google's side of a simulator as a whole: what each request is answered, and what is counted and written down of it."""

from dataclasses import replace

import pytest

from simulator.devices.fates import Fate
from simulator.fcm.service import BODY_BYTES_KEPT_MAX, BODY_LIMIT
from tests.fcm.valid_send import Bench, Send, token_of

# The ledger


@pytest.mark.parametrize("fate", [Fate.ACTIVE, Fate.UNREGISTERED])
def test_a_dry_run_leaves_no_mark_whatever_comes_of_it(fate: Fate) -> None:
    bench = Bench()
    send = Send().to("token", token_of(1, fate))
    bench.send(send.dry)
    bench.send(replace(send.dry, authorization=None))
    assert bench.mark(1) == (0, False)
    bench.send(send)
    assert bench.mark(1) != (0, False)


# Sizes


def test_a_body_that_was_not_kept_whole_is_answered_413_on_a_path_known_or_not() -> None:
    bench, large = Bench(), Send(body=b" " * BODY_BYTES_KEPT_MAX)
    head = Send().head()
    answers = [bench.send(large, head), bench.send(Send(), head), bench.send(large, head)]
    assert [answer.status for answer in answers] == [413, 200, 413]
    counters = bench.rig.counters
    assert (counters.limits_reached, counters.notifications) == ({BODY_LIMIT: 2}, 1)
