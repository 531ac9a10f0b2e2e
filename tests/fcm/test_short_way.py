"""The short way for usual messages agrees with the long one, for one message and for all of a read."""

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from simulator.devices.fates import Fate
from simulator.devices.registration_space import (
    Platform,
    malformed_registration,
)
from simulator.fcm.judge import Plain, passes_plainly
from simulator.fcm.message_reading import read_send
from simulator.fcm.message_size import MESSAGE_BYTES_MAX
from simulator.rates.rates import BucketRate, WindowRate
from simulator.registry import DeviceState
from tests.fcm.service_account import NOW_S
from tests.fcm.valid_message import TOKEN as FOREIGN
from tests.fcm.valid_send import CONNECTION_ID, SEED, Bench, Send, fid, rates_of, token_of
from wire.request import Request

PLENTY = BucketRate(count=1_000_000, per_s=1)
_USUAL = ("token", token_of(1))
_TARGETS = st.one_of(
    st.just(_USUAL),
    st.builds(
        lambda kind, *sealed: (kind, token_of(*sealed) if kind == "token" else fid(token_of(*sealed))),
        st.sampled_from(("token", "fid")),
        st.integers(0, 3),
        st.sampled_from(
            [fate for fate in Fate if fate.providers >= Fate.STALE.providers and fate is not Fate.INVALID_SHAPE]
        ),
        st.sampled_from(Platform),
    ),
    st.sampled_from(
        [
            ("token", FOREIGN),
            ("token", malformed_registration(SEED, 1)),
            ("token", token_of(1)[:-1]),
            ("token", fid(token_of(1))),
            ("fid", token_of(1)),
            ("topic", "news"),
            ("topic", "no topic"),
            ("condition", "!('news' in topics)"),
        ]
    ),
)
_MESSAGES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "data": st.dictionaries(st.sampled_from(("a", "from", "google.x", "kind")), st.text(max_size=3)),
        "notification": st.fixed_dictionaries({"body": st.sampled_from(("Hello", "x" * 3_800, "x" * 4_096))}),
        "android": st.sampled_from(({}, {"ttl": "0s"}, {"restricted_package_name": "com.example.other"})),
        "apns": st.just({"payload": {"aps": {"alert": "Hello"}}}),
        "name": st.sampled_from(("x", "x" * 4_096)),
    },
)


# The usual values more often than the others: else the short way would hardly ever be taken.
@settings(max_examples=300)
@given(
    target=_TARGETS,
    message=_MESSAGES,
    dry=st.sampled_from((False, False, False, True)),
    overlaid=st.sampled_from((None, None, None, token_of(1), token_of(2, Fate.STALE), FOREIGN)),
    known=st.sampled_from((True, True, True, False)),
    rated=st.booleans(),
)
@example(target=_USUAL, message={}, dry=True, overlaid=None, known=True, rated=False)
@example(
    target=_USUAL, message={"notification": {"body": "x" * 4_096}}, dry=False, overlaid=None, known=True, rated=False
)
def test_the_short_way_accepts_what_the_long_one_accepts_and_nothing_else(
    target: tuple[str, str], message: dict[str, Any], dry: bool, overlaid: str | None, known: bool, rated: bool
) -> None:
    """Rates that nothing reaches are kept here and there; a state of a device by hand keeps one bench off the short way."""
    send = Send(target=target, message=message)
    send = send.dry if dry else send
    quick, slow = Bench(), Bench()
    for bench in (quick, slow):
        if rated:
            bench.fcm.rates = rates_of(fcm_android_device_minute=PLENTY, fcm_ios_device=PLENTY)
        if overlaid is not None:
            bench.fcm.overlay.set(overlaid.encode(), DeviceState(Fate.UNREGISTERED, 0))
    slow.fcm.overlay.set(token_of(99).encode(), DeviceState(Fate.UNREGISTERED, 0))
    head = Send().head()
    if known:
        quick.judge(Send(), head)
    request = send.request(head)
    (found,), expected = passes_plainly((request,), quick.fcm, NOW_S), slow.judge(send)
    if isinstance(found, Plain):
        assert known and not dry and overlaid is None
        assert expected.fault is None and expected.registration is not None
        assert (found.sealed, found.pretty) == (expected.registration.sealed, True)
        assert target == ("token", found.token.decode())
    elif known and overlaid is None and target == _USUAL and "android" not in message and not dry:
        assert expected.fault is not None or len(request.body) > MESSAGE_BYTES_MAX
    assert found is None or isinstance(found, Plain) or found == read_send(request.body)
    assert quick.send(send, head).status == slow.send(send).status
    assert quick.rows()[-1].token == slow.rows()[-1].token
    assert [quick.mark(index) for index in range(4)] == [slow.mark(index) for index in range(4)]


def test_on_the_short_way_rates_count_as_on_the_long_one() -> None:
    """Refusals by the device's rate give the project's back, on either way; what is over the project's counts for neither."""
    once = BucketRate(count=1, per_s=60)
    for head in (None, Send().head()):
        bench = Bench()
        bench.fcm.rates = rates_of(fcm_project=WindowRate(count=2, per_s=60), fcm_android_device_minute=once)
        statuses = [bench.send(Send().to("token", token_of(index)), head).status for index in (1, 1, 1, 2, 3)]
        assert statuses == [200, 429, 429, 200, 429]
        window = bench.fcm.rates.project
        assert window is not None and window.left == 0


def in_one_read(bench: Bench, requests: list[Request]) -> list[tuple[int, bytes]]:
    """Status and body of each answer."""
    answers = []
    for request, found in zip(requests, bench.service.accept_plainly(requests, CONNECTION_ID, NOW_S), strict=True):
        if isinstance(found, bytes):
            answers.append((200, found))
        else:
            answer = bench.service.answer_fully(request, found, CONNECTION_ID, NOW_S)
            answers.append((answer.status, answer.body))
    bench.service.settle()
    return answers


@settings(max_examples=200)
@given(
    before=st.booleans(),
    sends=st.lists(
        st.builds(lambda target, message, dry: (target, message, dry), _TARGETS, _MESSAGES, st.integers(0, 4)),
        min_size=1,
        max_size=6,
    ),
    left=st.sampled_from((None, 1, 2, 3)),
)
def test_the_messages_of_one_read_come_out_as_if_each_had_come_alone(
    before: bool, sends: list[tuple[tuple[str, str], dict[str, Any], int]], left: int | None
) -> None:
    """`before`: the caller is cleared ahead of the read. `left`: what the rates of project and devices leave."""
    messages = [Send(target=target, message=message) for target, message, _ in sends]
    messages = [each if dry else each.dry for each, (_, _, dry) in zip(messages, sends, strict=True)]
    together, alone = Bench(), Bench()
    head, usual = Send().head(), [Send().to("token", token_of(9)) for _ in range(2)]
    for bench in (together, alone):
        if left is not None:
            bench.fcm.rates = rates_of(
                fcm_project=WindowRate(count=left + before, per_s=60),
                fcm_android_device_minute=BucketRate(count=1, per_s=60),
            )
        if before:
            bench.send(Send(), head if bench is together else None)
    messages = [*usual[:1], *messages, *usual[1:]]
    answers = in_one_read(together, [each.request(head) for each in messages])
    assert [status for status, _ in answers] == [alone.send(each).status for each in messages]
    assert [row[:7] for row in together.rows()] == [row[:7] for row in alone.rows()]
    assert [together.mark(index) for index in range(10)] == [alone.mark(index) for index in range(10)]
    assert together.rig.counters.notifications == alone.rig.counters.notifications
    assert together.rig.counters.accepted == alone.rig.counters.accepted


def test_answers_are_as_pretty_as_asked_for() -> None:
    bench, head = Bench(), Send().head()
    plain, compact = Send(), Send(query="prettyPrint=false")
    for cleared in (plain, compact):
        assert bench.send(cleared, head).status == 200
        requests = [each.request(head) for each in (plain, compact, cleared)]
        bodies = [body for _, body in in_one_read(bench, requests)]
        assert [b"\n" in body for body in bodies] == [True, False, cleared is plain]


def test_that_one_caller_of_a_read_was_cleared_says_nothing_of_the_next() -> None:
    bench, cleared, other = Bench(), Send().head(), Send(authorization="Bearer nobody").head()
    assert bench.send(Send(), cleared).status == 200
    requests = [Send().request(head) for head in (cleared, other, cleared)]
    assert [status for status, _ in in_one_read(bench, requests)] == [200, 401, 200]
