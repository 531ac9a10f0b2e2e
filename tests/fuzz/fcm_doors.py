"""The doors of FCM under fuzz: messages, calls of Instance ID and of topic subscriptions, and bytes that may be HTTP/1.1.

Whatever comes, each request ends in an answer, never in an exception, and what is kept of it is bounded.
"""

import json
import random
import re
import string
from functools import cache
from typing import Any

import msgspec
from hypothesis import strategies as st

from simulator.apns.answer import RandomIds
from simulator.clock import Clock
from simulator.counters import Counters
from simulator.devices.fates import Fate
from simulator.devices.registration_space import Platform, SealedRegistration, kind_of_registration, seal_registration
from simulator.fcm.errors import Cause
from simulator.fcm.service import BODY_BYTES_KEPT_MAX, FcmService
from simulator.host_owner import HostOwner
from simulator.http1_session import Http1Session
from simulator.http_answer import JSON
from simulator.journal import Journal
from simulator.ledger import Ledger
from simulator.limits import Limits
from simulator.rates.rate_limits import RateLimits
from simulator.rates.rates import Rates
from simulator.rig import Rig
from simulator.session import SessionParts
from tests.apns.valid_push import NOW_S, apns_state
from tests.fcm.fcm_state import fcm_state
from tests.fcm.service_account import MESSAGING, PROJECT_ID, access_tokens
from tests.fuzz.property import DOORS_CORPUS, Property
from wire.budget import WireLimits
from wire.request import Head, Request

SLICES_MAX = 32  # of the deliveries to the few registrations that follow the topic
OUTPUT_BYTES_A_REQUEST_MAX = 80_000  # a page of HTML shows a path of 8,000 characters, each of which may be escaped

_STATUSES = {200, 404, 413, *(cause.status for cause in Cause)}
_RPC_STATUSES = {cause.rpc_status for cause in Cause}
_REASONS = {cause.reason for cause in Cause}


def _registration(fate: Fate, platform: Platform) -> str:
    return seal_registration(SealedRegistration(kind_of_registration(platform, fate), 7, fate.code))


_fates = [Fate.ACTIVE, Fate.UNREGISTERED, Fate.OTHER_SENDER, Fate.STALE]
_REGISTRATIONS = [_registration(fate, platform) for fate in _fates for platform in Platform]


def _rig() -> Rig:
    apns = apns_state()
    fcm = fcm_state(apns)
    fcm.rates = RateLimits.of(Rates())
    for token in _REGISTRATIONS:
        fcm.subscriptions.add(token[:22].encode(), "news", NOW_S)
    return Rig(Clock(lambda: NOW_S), apns.overlay, Ledger(), Journal(16), Counters(), apns, fcm)


def _service(rig: Rig) -> FcmService:
    return FcmService(rig, random.Random(1).randbytes)


@cache
def _bearer() -> bytes:
    return b"Bearer " + access_tokens().mint(MESSAGING, NOW_S).encode()


def _bytes(text: str) -> bytes:
    return text.encode("latin-1")


class GoogleRequest(msgspec.Struct, frozen=True):
    """One request of the service account. `path` and `body` with one character a byte."""

    method: str
    path: str
    body: str


def check_request(given: GoogleRequest) -> None:
    """An answer of the provider's form; the journal, the counters and the ledger know of what was a send."""
    rig = _rig()
    service = _service(rig)
    fields = ((b":method", _bytes(given.method)), (b":path", b""), (b"authorization", _bearer()))
    head = Head((*fields, (b"access_token_auth", b"true")))
    request = Request(1, head, (_bytes(given.path), None), _bytes(given.body))
    status, answer_fields, body = service.answer(request, 1, NOW_S)
    service.settle()
    slices = 0
    while service.delivering:
        service.deliver_slice()
        slices += 1
        assert slices <= SLICES_MAX
    assert status in _STATUSES | {409}
    if JSON in answer_fields:
        told = json.loads(body)
        if "iid" not in given.path and status >= 400 and not isinstance(told["error"], str):
            assert told["error"]["code"] == status
            assert told["error"]["status"] in _RPC_STATUSES
    else:
        assert body.startswith(b"<!DOCTYPE html>")
    counters = rig.counters
    assert counters.notifications == counters.accepted + counters.rejected
    assert set(counters.rejected_by_reason) <= _REASONS
    deliveries = counters.topic_deliveries + counters.topic_deliveries_refused
    assert rig.journal.total == counters.notifications + deliveries
    assert deliveries <= len(_REGISTRATIONS)


_text = st.text(max_size=8)
_json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=6,
)
_field_names = st.sampled_from(
    ["token", "fid", "topic", "condition", "data", "notification", "android", "apns", "webpush", "fcm_options", "fcmOptions",
     "name", "ttl", "collapse_key", "collapseKey", "priority", "headers", "payload", "aps", "title", "body", "light_settings",
     "color", "event_time", "vibrate_timings", "live_activity_token", "link", "analytics_label", "from", "x"]
)  # fmt: skip
_telling = st.sampled_from(
    [*_REGISTRATIONS[:4], _REGISTRATIONS[0][:22], "news", "'news' in topics", "!('news' in topics)", "(" * 300, "!" * 300,
     "'a' in topics && " * 6 + "'b' in topics", "3.5s", "-1s", "9" * 400 + "s", "1e400", "HIGH", "high", "#aabbcc",
     "2014-10-02T15:01:23.045123456Z", "https://example.com", "a" * 5_000, "é" * 900, "\ud800", "\0", 2**63, -1, 1e300]
)  # fmt: skip
_tree = st.recursive(
    _json_values | _telling,
    lambda inner: st.dictionaries(_field_names, inner, max_size=4) | st.lists(inner, max_size=2),
    max_leaves=8,
)
_targets = st.one_of(
    st.sampled_from(_REGISTRATIONS).map(lambda token: {"token": token}),
    st.sampled_from(_REGISTRATIONS).map(lambda token: {"fid": token[:22]}),
    st.sampled_from([{"topic": "news"}, {"condition": "'news' in topics"}, {"condition": "!('news' in topics)"}, {}]),
)
_platforms = st.dictionaries(
    st.sampled_from(["android", "apns", "webpush", "notification", "data", "fcm_options"]),
    st.dictionaries(_field_names, _tree, max_size=3) | _tree,
    max_size=2,
)


def _encoded(value: Any) -> str:
    return json.dumps(value).encode().decode("latin-1")


_messages = st.tuples(_targets, _platforms).map(lambda parts: parts[0] | parts[1])
_send_bodies = st.one_of(
    _messages.map(lambda message: _encoded({"message": message})),
    _messages.map(lambda message: _encoded({"message": message, "validate_only": True})),
    st.dictionaries(st.sampled_from(["message", "validateOnly", "validate_only", "x"]), _tree | _messages, max_size=3).map(
        _encoded
    ),
    st.sampled_from(
        ["", "[", "[" * 5_000, '{"message":' * 400, '{"a":1e999}', "9" * 5_000, "\xff", '"\xed\xa0\x80"', "null",
         '{"message":{"data":{"a":"b","a":"c"}}}', " " * 300]
    ),
    st.just(BODY_BYTES_KEPT_MAX).map(lambda size: "x" * size),
    st.text(st.characters(max_codepoint=255), max_size=40),
)  # fmt: skip
_sends = st.builds(
    GoogleRequest,
    st.just("POST"),
    st.sampled_from(["", "?", "?prettyPrint=false", "?alt=%ff", "?$.xgafv=2&prettyPrint=1"]).map(
        lambda query: f"/v1/projects/{PROJECT_ID}/messages:send{query}"
    ),
    _send_bodies,
)

_segments = st.sampled_from(
    [
        _REGISTRATIONS[0],
        _REGISTRATIONS[1][:22],
        "news",
        "x",
        "%2F",
        "%ff",
        "%",
        "..",
        "",
        "a" * 1_000,
        PROJECT_ID,
        "0",
        "*",
    ]
) | st.text(string.printable, max_size=6)
_templates = st.sampled_from(
    ["/iid/v1:batchAdd", "/iid/v1:batchRemove", "/iid/v1:batchImport", "/iid/info/{}", "/iid/info/{}?details={}",
     "/iid/v1/{}/rel/topics/{}", "/v1/projects/{}/registrations/{}/topicSubscriptions",
     "/v1/projects/{}/registrations/{}/topicSubscriptions/{}",
     "/v1/projects/{}/registrations/{}/topicSubscriptions?pageSize={}",
     "/v1/projects/{}/registrations/{}/topicSubscriptions?topic_name={}",
     "/v1/projects/{}/registrations/{}/topicSubscriptions?pageToken={}",
     "/v1/projects/{}/registrations/{}/topicSubscriptions/{}?allowMissing={}", "/v1/projects/{}/messages:send", "/token",
     "/batch", "/{}/{}"]
)  # fmt: skip
_batches = st.dictionaries(
    st.sampled_from(["to", "registration_tokens", "application", "sandbox", "apns_tokens", "x"]),
    st.one_of(
        st.sampled_from(["/topics/news", "/topics/", "news", "/topics/" + "a" * 901, "com.example.app", True]),
        st.lists(st.sampled_from([*_REGISTRATIONS, "x", "ab" * 32, "a" * 150]) | _json_values, max_size=4),
        st.sampled_from([1_000, 1_001]).map(lambda count: ["a" * 150] * count),
        _json_values,
    ),
    max_size=4,
).map(_encoded)
_usual_batches = st.lists(st.sampled_from([*_REGISTRATIONS, "x"]), max_size=4).map(
    lambda tokens: _encoded({"to": "/topics/news", "registration_tokens": tokens})
)
_calls = st.builds(
    lambda method, template, segments, body: GoogleRequest(method, template.format(*segments), body),
    st.sampled_from(["GET", "POST", "PATCH", "DELETE", "HEAD", "BREW"]),
    _templates,
    st.lists(_segments.map(lambda text: text.encode().decode("latin-1")), min_size=4, max_size=4),
    st.one_of(_batches, _usual_batches, st.just("{}"), st.just(""), _send_bodies),
)


# HTTP/1.1.


class Read(msgspec.Struct, frozen=True):
    """The bytes of one connection, one character each, and how many of them come at a time; the rest at once."""

    content: str
    reads: list[int]
    owner: str | None = None


def check_http1(given: Read) -> None:
    """Each request gets an answer, the same however the bytes come, of a bounded size; then the end."""
    data = _bytes(given.content)
    owner = None if given.owner is None else HostOwner[given.owner]
    at_once = _statuses(data, [len(data)], owner)
    in_parts = _statuses(data, given.reads, owner)
    assert at_once == in_parts


_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


def _statuses(data: bytes, reads: list[int], owner: HostOwner | None) -> list[int]:
    rig = _rig()
    ids = RandomIds(random.Random(1).randbytes)
    parts = SessionParts(rig, Limits(), WireLimits(), ids, _service(rig), lambda: 0.0)
    session = Http1Session(parts, owner, 1, 0.0, lambda: NOW_S, secure=True)
    start, sent = 0, b""
    for size in [*reads, len(data)]:
        if data[start : start + size]:
            session.receive(data[start : start + size])
            sent += session.data_to_send()
        start += size
        assert len(session._body) <= BODY_BYTES_KEPT_MAX
    session.tick(0.0, None)
    session.tick(1e9, None)
    assert session.closing
    sent += session.data_to_send()
    statuses = [int(status) for status in _STATUS.findall(sent)]
    assert len(sent) <= OUTPUT_BYTES_A_REQUEST_MAX * max(1, len(statuses))
    assert len(statuses) <= data.count(b"\n") + 1
    # An interim answer hangs on whether the body has come already.
    return [status for status in statuses if status != 100]


_targets_of_lines = st.sampled_from(
    [f"/v1/projects/{PROJECT_ID}/messages:send", "/token", "/iid/info/x", "/3/device/ab", "/", "*", "http://fcm.googleapis.com/batch",
     "http://", "//", "/\xff", "/a b", "/?", "/" + "a" * 3_000]
)  # fmt: skip
_header_lines = st.lists(
    st.sampled_from(
        ["host: fcm.googleapis.com", "host: localhost", "host:", "content-length: 2", "content-length: 9999999999",
         "content-length: -1", "content-length: 2, 2", "transfer-encoding: chunked", "transfer-encoding: gzip",
         "expect: 100-continue", "connection: close", "connection: keep-alive, upgrade", "upgrade: h2c", "x", ": x", " folded",
         "x: \xff", "x: a\0b", "authorization: Bearer x", "x: " + "y" * 4_000, "cookie: " + "z" * 7_000]
    ),
    max_size=4,
)  # fmt: skip
_requests = st.builds(
    lambda method, target, version, headers, body: (
        f"{method} {target} {version}\r\n" + "".join(f"{line}\r\n" for line in headers) + "\r\n" + body
    ),
    st.sampled_from(["GET", "POST", "HEAD", "CONNECT", "PRI", "OPTIONS", "", "get"]),
    _targets_of_lines,
    st.sampled_from(["HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/1.1 ", "", "FTP"]),
    st.just(["host: localhost", "content-length: 2"]) | _header_lines,
    st.sampled_from(
        ["{}", "", "2\r\n{}\r\n0\r\n\r\n", "2\r\n{}\r\n0\r\nx: y\r\n\r\n", "g\r\n", "ffffffffffffffffff\r\n", "0\r\n\r\n"]
    ),
)  # fmt: skip
_streams = st.one_of(
    st.lists(_requests, max_size=4).map("".join),
    st.text(st.characters(max_codepoint=255), max_size=60),
    st.lists(_requests | st.text("\r\n\0: /", max_size=6), max_size=3).map("".join),
)

FCM_DOORS = [
    Property(
        name="fcm-send",
        record=GoogleRequest,
        inputs=_sends,
        check=check_request,
        examples=60,
        corpus=DOORS_CORPUS,
    ),
    Property(
        name="google-call",
        record=GoogleRequest,
        inputs=_calls,
        check=check_request,
        examples=60,
        corpus=DOORS_CORPUS,
    ),
    Property(
        name="http1",
        record=Read,
        inputs=st.builds(
            Read, _streams, st.lists(st.integers(0, 40), max_size=12), st.sampled_from([None, "GOOGLE", "APPLE"])
        ),
        check=check_http1,
        examples=50,
        corpus=DOORS_CORPUS,
    ),
]
