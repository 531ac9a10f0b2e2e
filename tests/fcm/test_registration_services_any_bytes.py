"""Whatever bytes come as path and body: Instance ID and topic subscriptions answer in JSON, or say that it is not theirs."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.fcm.instance_id import instance_id
from simulator.fcm.topic_subscriptions import topic_subscriptions
from simulator.http_answer import JSON
from tests.fcm.registration_bench import FID, FOREIGN, TOKEN, FcmBench
from tests.fcm.service_account import PROJECT_ID
from wire.request import Head, Request

_SEGMENTS = st.binary(max_size=30) | st.sampled_from([TOKEN, FID, FOREIGN, b"news", b"%", b"%FF", b"a%20b", b""])
_PATHS = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([b"/iid/v1:batchAdd", b"/iid/v1:batchRemove", b"/iid/v1:batchImport"]),
    st.builds(lambda token, topic: b"/iid/v1/%b/rel/topics/%b" % (token, topic), _SEGMENTS, _SEGMENTS),
    st.builds(lambda token: b"/iid/info/%b" % token, _SEGMENTS),
    st.builds(
        lambda token, topic: (
            b"/v1/projects/%b/registrations/%b/topicSubscriptions%b" % (PROJECT_ID.encode(), token, topic)
        ),
        _SEGMENTS,
        st.just(b"") | st.builds(lambda topic: b"/" + topic, _SEGMENTS),
    ),
)
_QUERIES = st.just(b"") | st.builds(
    lambda name, value: b"?%b=%b" % (name, value),
    st.sampled_from([b"details", b"topic_name", b"pageSize", b"pageToken", b"allowMissing", b"prettyPrint", b"%FF"]),
    st.binary(max_size=10) | st.sampled_from([b"true", b"5", b"news", b"9999999999", b"bmV3cw"]),
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_BODIES = st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda *values: json.dumps(
            dict(zip(["to", "registration_tokens", "application", "apns_tokens", "sandbox"], values, strict=True))
        ).encode(),
        *[_JSON | st.sampled_from(["/topics/news", [TOKEN.decode()], "com.example.app", ["ab" * 32], True])] * 5,
    ),
)


_BEARER = FcmBench().bearer()


@given(st.sampled_from([b"GET", b"POST", b"PATCH", b"DELETE", b"PUT"]), _PATHS, _QUERIES, _BODIES)
def test_any_request_is_answered_in_json_or_not_the_services(
    method: bytes, path: bytes, query: bytes, body: bytes
) -> None:
    bench = FcmBench()
    fields = ((b":method", method), (b":path", b""), (b"authorization", _BEARER), (b"access_token_auth", b"true"))
    request = Request(1, Head(fields), (path + query, None), body)
    for service in (instance_id, topic_subscriptions):
        answer = service(request, bench, bench.now_s)
        if answer is not None:
            assert answer.status in (200, 400, 403, 404, 409) and JSON in answer.fields
            json.loads(answer.body)


@pytest.mark.parametrize("path", [None, b"", b"?", b"/iid/info/", b"*"])
def test_a_request_without_a_path_to_speak_of_is_nobodys(path: bytes | None) -> None:
    request = Request(1, Head(((b":method", b"GET"),)), (path, None), b"")
    assert instance_id(request, FcmBench(), 0.0) is topic_subscriptions(request, FcmBench(), 0.0) is None
