"""Topic subscriptions as resources: a valid request of each method, and one thing spoiled at a time."""

import json
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.apns.state import UnknownTokens
from simulator.devices.fates import Fate
from simulator.fcm import subscriptions as subscriptions_module
from simulator.fcm.access_token import LIFE_S_MAX
from simulator.fcm.message_validation import VIOLATIONS_MAX
from simulator.fcm.subscriptions import TOPICS_A_REGISTRATION_MAX, Subscriptions
from simulator.fcm.topic_subscriptions import PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, topic_subscriptions
from simulator.http_answer import JSON, HttpAnswer
from tests.fcm.registration_bench import (
    FID,
    FOREIGN,
    MALFORMED,
    PROJECT_NUMBER,
    TOKEN,
    Call,
    FcmBench,
    one_change_in,
    registration_token,
)
from tests.fcm.service_account import PROJECT_ID

PARENT = f"/v1/projects/{PROJECT_ID}/registrations/{TOKEN.decode()}/topicSubscriptions"

CREATE = Call(f"{PARENT}?topic_name=news", json={}, access_token_auth=None)
GET = replace(CREATE, method="GET", path=f"{PARENT}/news", json=None)
LIST = replace(GET, path=PARENT)
PATCH = replace(CREATE, method="PATCH", path=f"{PARENT}/news?allowMissing=true")
DELETE = replace(GET, method="DELETE", path=f"{PARENT}/news?allowMissing=true")
CALLS = {"create": CREATE, "get": GET, "list": LIST, "update": PATCH, "delete": DELETE}
EACH = [pytest.param(call, id=name) for name, call in CALLS.items()]
CHANGES = [pytest.param(CALLS[name], id=name) for name in ("create", "update", "delete")]
OF_ONE_TOPIC = [pytest.param(CALLS[name], id=name) for name in ("create", "get", "update", "delete")]

RESOURCE = {
    "name": f"projects/{PROJECT_ID}/registrations/{TOKEN.decode()}/topicSubscriptions/news",
    "topic_name": "news",
    "create_time": "2025-06-15T15:06:40Z",
}


def _answer(call: Call, bench: FcmBench) -> HttpAnswer | None:
    authorised = replace(call, authorization=bench.bearer()) if call.authorization == b"" else call
    return topic_subscriptions(authorised.request(), bench, bench.now_s)


def _told(call: Call, bench: FcmBench) -> Any:
    answer = _answer(call, bench)
    assert answer is not None
    assert (answer.status, answer.fields) == (200, (JSON,)), answer.body
    return json.loads(answer.body)


def _refused(call: Call, bench: FcmBench) -> tuple[int, str, str]:
    """Code, status and message of a fault."""
    answer = _answer(call, bench)
    assert answer is not None and JSON in answer.fields
    error = json.loads(answer.body)["error"]
    assert error["code"] == answer.status
    return error["code"], error["status"], error["message"]


def _bench(*topics: str, **parts: Any) -> FcmBench:
    bench = FcmBench(**parts)
    for topic in topics:
        bench.subscriptions.add(FID, topic, bench.now_s)
    return bench


# The five methods


def test_create_makes_a_subscription_once() -> None:
    bench = _bench()
    assert _told(CREATE, bench) == RESOURCE
    assert bench.topics_of(TOKEN) == ["news"]
    assert _refused(CREATE, bench)[:2] == (409, "ALREADY_EXISTS")


def test_get_tells_of_a_subscription_since_when_it_is() -> None:
    bench = _bench("news")
    bench.now_s += 60
    assert _told(GET, bench) == RESOURCE
    assert _refused(replace(GET, path=f"{PARENT}/sport"), bench)[:2] == (404, "NOT_FOUND")


def test_patch_creates_what_is_missing_only_when_it_may() -> None:
    bench = _bench()
    assert _refused(replace(PATCH, path=f"{PARENT}/news"), bench)[:2] == (404, "NOT_FOUND")
    assert _refused(replace(PATCH, path=f"{PARENT}/news?allowMissing=false"), bench)[:2] == (404, "NOT_FOUND")
    assert _told(PATCH, bench) == RESOURCE
    bench.now_s += 60
    assert _told(PATCH, bench) == _told(replace(PATCH, path=f"{PARENT}/news"), bench) == RESOURCE


def test_delete_ends_a_subscription_and_minds_a_missing_one_unless_told_otherwise() -> None:
    bench = _bench("news")
    without = replace(DELETE, path=f"{PARENT}/news")
    assert _told(without, bench) == {}
    assert bench.topics_of(TOKEN) == []
    assert _refused(without, bench)[:2] == (404, "NOT_FOUND")
    assert _told(DELETE, bench) == {}


def test_list_tells_all_in_snake_case() -> None:
    assert _told(LIST, _bench("news")) == {"topic_subscriptions": [RESOURCE]}
    assert _told(LIST, _bench()) == {}


def test_token_and_fid_are_one_registration_and_the_name_is_as_asked() -> None:
    bench = _bench("news")
    told = _told(replace(GET, path=GET.path.replace(TOKEN.decode(), FID.decode())), bench)
    assert told["name"] == f"projects/{PROJECT_ID}/registrations/{FID.decode()}/topicSubscriptions/news"


def test_the_project_goes_by_its_number_too() -> None:
    told = _told(replace(GET, path=GET.path.replace(PROJECT_ID, PROJECT_NUMBER)), _bench("news"))
    assert told["name"].startswith(f"projects/{PROJECT_NUMBER}/")


def test_segments_are_percent_decoded_once() -> None:
    bench = _bench("100%")
    told = _told(replace(GET, path=f"{PARENT.replace(':', '%3A')}/100%25"), bench)
    assert (told["topic_name"], TOKEN.decode() in told["name"]) == ("100%", True)


@pytest.mark.parametrize("query", ["topic_name=news", "topicName=news", "topic_name=news&topic_name=sport"])
def test_the_parameter_of_create_is_read_in_either_spelling_and_the_first_counts(query: str) -> None:
    assert _told(replace(CREATE, path=f"{PARENT}?{query}"), _bench()) == RESOURCE


def test_answers_are_pretty_printed_unless_told_otherwise() -> None:
    pretty, also, compact = (
        _answer(replace(GET, path=f"{GET.path}{query}"), _bench("news"))
        for query in ("", "?prettyPrint=perhaps", "?prettyPrint=false")
    )
    assert pretty == also
    assert pretty is not None and pretty.body.startswith(b'{\n  "name": "projects/') and pretty.body.endswith(b"}\n")
    assert compact is not None and compact.body.startswith(b'{"name":"projects/')
    refused = _answer(replace(GET, path=f"{GET.path}?prettyPrint=false"), _bench())
    assert refused is not None and refused.body.startswith(b'{"error":{"code":404')


# Pages


def _topics_of_pages(bench: FcmBench, query: str) -> list[list[str]]:
    pages, token = [], ""
    while True:
        told = _told(replace(LIST, path=f"{PARENT}?{query}{token}"), bench)
        pages.append([each["topic_name"] for each in told.get("topic_subscriptions", [])])
        if "next_page_token" not in told:
            return pages
        token = f"&pageToken={told['next_page_token']}"


@given(
    st.sets(st.text("ab-_.~%", min_size=1, max_size=4), max_size=12),
    st.integers(1, 13),
    st.sampled_from(["pageSize", "page_size"]),
)
def test_pages_together_are_the_list_by_name(topics: set[str], size: int, parameter: str) -> None:
    pages = _topics_of_pages(_bench(*topics), f"{parameter}={size}")
    assert [topic for page in pages for topic in page] == sorted(topics)
    assert all(len(page) == size for page in pages[:-1]) and (pages[-1] or not topics)


def test_a_page_has_2000_entries_at_most() -> None:
    with patch.object(subscriptions_module, "TOPICS_A_REGISTRATION_MAX", 2_500):
        bench = _bench(*(f"topic-{number}" for number in range(2_500)))
    assert [len(page) for page in _topics_of_pages(bench, "pageSize=2400")] == [PAGE_SIZE_MAX, 500]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("", PAGE_SIZE_DEFAULT),
        ("pageSize=0", PAGE_SIZE_DEFAULT),
        ("pageSize=", PAGE_SIZE_DEFAULT),
        ("pageSize=1500", 1_500),
        ("pageSize=100000", PAGE_SIZE_MAX),
    ],
)
def test_the_size_of_a_page_has_a_default_and_a_limit(query: str, first: int) -> None:
    bench = _bench(*(f"topic-{number}" for number in range(TOPICS_A_REGISTRATION_MAX)))
    assert [len(page) for page in _topics_of_pages(bench, query)] == [
        first,
        *([2_000 - first] if first < 2_000 else []),
    ]


def test_a_page_follows_the_one_before_whatever_came_and_went() -> None:
    bench = _bench("a", "b", "c", "d")
    token = _told(replace(LIST, path=f"{PARENT}?pageSize=2"), bench)["next_page_token"]
    bench.subscriptions.remove(FID, "b")
    bench.subscriptions.add(FID, "aa", bench.now_s)
    told = _told(replace(LIST, path=f"{PARENT}?pageSize=2&pageToken={token}"), bench)
    assert [each["topic_name"] for each in told["topic_subscriptions"]] == ["c", "d"]


@pytest.mark.parametrize("size", ["many", "1.5", "2147483648", "99999999999", "-1", "0x10", "١"])
def test_a_page_size_that_is_no_number_from_0_is_refused(size: str) -> None:
    code, status, message = _refused(replace(LIST, path=f"{PARENT}?pageSize={size}"), _bench("news"))
    assert (code, status, "page" in message.lower()) == (400, "INVALID_ARGUMENT", True)


@pytest.mark.parametrize("token", ["!", "YQ=a", "_w", "a" * 401, "IA"])
def test_a_page_token_of_ones_own_making_is_refused(token: str) -> None:
    code, status, message = _refused(replace(LIST, path=f"{PARENT}?pageToken={token}"), _bench("news"))
    assert (code, status, "Page token" in message) == (400, "INVALID_ARGUMENT", True)


# What is refused, in order


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", f"{PARENT}/news"),
        ("POST", f"{PARENT}/news"),
        ("PATCH", PARENT),
        ("DELETE", PARENT),
        ("GET", f"{PARENT}/"),
        ("GET", f"{PARENT}/news/more"),
        ("GET", PARENT.replace("/v1/", "/v2/")),
        ("POST", f"/v1/projects/{PROJECT_ID}/messages:send"),
        ("GET", ""),
    ],
)
def test_other_methods_and_paths_are_not_the_services(method: str, path: str) -> None:
    assert _answer(Call(path, method, authorization=None), _bench()) is None


NONSENSE = "/v1/projects/elsewhere/registrations/nonsense/topicSubscriptions"


@pytest.mark.parametrize(
    ("authorization", "text"),
    [(None, "Request is missing required"), (b"Bearer nonsense", "Request had invalid authentication")],
)
@pytest.mark.parametrize("call", EACH)
def test_a_bad_credential_is_401_before_anything_else(call: Call, authorization: bytes | None, text: str) -> None:
    spoiled = replace(call, authorization=authorization, path=call.path.replace(PARENT, NONSENSE), body=b"{")
    code, status, message = _refused(spoiled, _bench())
    assert (code, status, message.startswith(text)) == (401, "UNAUTHENTICATED", True)


def test_a_refused_credential_does_not_name_the_method_of_another_call() -> None:
    answer = _answer(replace(GET, authorization=None), _bench())
    assert answer is not None
    (detail,) = json.loads(answer.body)["error"]["details"]
    assert (detail["reason"], detail["metadata"]) == ("CREDENTIALS_MISSING", {"service": "fcm.googleapis.com"})


def test_an_expired_credential_is_401() -> None:
    bench = _bench("news")
    authorization = bench.bearer()
    bench.now_s += LIFE_S_MAX
    assert _refused(replace(GET, authorization=authorization), bench)[:2] == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize("name", CALLS)
def test_another_project_is_403_with_the_permission_of_the_method(name: str) -> None:
    call = replace(CALLS[name], path=CALLS[name].path.replace(PARENT, NONSENSE), body=b"{")
    code, status, message = _refused(call, _bench())
    assert (code, status) == (403, "PERMISSION_DENIED")
    assert message.startswith(f"Permission 'cloudmessaging.topicSubscriptions.{name}' denied on resource")


@pytest.mark.parametrize("call", EACH)
def test_an_api_that_is_not_enabled_is_403(call: Call) -> None:
    code, status, message = _refused(replace(call, body=b"{"), _bench(api_enabled=False))
    assert (code, status, f"project {PROJECT_NUMBER}" in message) == (403, "PERMISSION_DENIED", True)


def test_above_the_rate_of_changes_a_change_is_refused_and_a_question_answered() -> None:
    bench = _bench("sport", rates=one_change_in(per_s=1))
    _told(CREATE, bench)
    for call in (CREATE, PATCH, DELETE):
        answer = _answer(replace(call, body=b"{"), bench)
        assert answer is not None and answer.status == 429
        assert b"retry-after" in dict(answer.fields) and b"RESOURCE_EXHAUSTED" in answer.body
    assert len(_told(LIST, bench)["topic_subscriptions"]) == 2
    bench.now_s += 2
    assert _told(DELETE, bench) == {}


@pytest.mark.parametrize("body", [b"", b" ", b"{}", b'{"name":"x","topicName":"y","create_time":"z"}'])
@pytest.mark.parametrize("call", CHANGES)
def test_a_body_that_says_nothing_else_is_taken(call: Call, body: bytes) -> None:
    _told(replace(call, body=body), _bench())


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"{", "Invalid JSON payload received. The body is not JSON."),
        (b"\xff", "Invalid JSON payload received. The body is not JSON."),
        (b"[" * 100_000, "Invalid JSON payload received. The body is not JSON."),
        (b"[]", 'Invalid JSON payload received. Unknown name "": Root element must be a message.'),
        (b"5", 'Invalid JSON payload received. Unknown name "": Root element must be a message.'),
        (
            b'{"x":1,"name":"n","y":2}',
            'Invalid JSON payload received. Unknown name "x": Cannot find field.\n'
            'Invalid JSON payload received. Unknown name "y": Cannot find field.',
        ),
    ],
)
@pytest.mark.parametrize("call", CHANGES)
def test_any_other_body_is_refused_before_the_registration(call: Call, body: bytes, text: str) -> None:
    spoiled = replace(call, body=body, path=call.path.replace(TOKEN.decode(), "nonsense"))
    assert _refused(spoiled, _bench()) == (400, "INVALID_ARGUMENT", text)


def test_unknown_names_beyond_a_bound_are_not_told() -> None:
    _, _, message = _refused(replace(CREATE, json={f"x{number}": 1 for number in range(1_000)}), _bench())
    assert message.count("\n") == VIOLATIONS_MAX - 1


@pytest.mark.parametrize(
    "token", [FOREIGN, MALFORMED.replace(b" ", b"%20"), registration_token(Fate.UNREGISTERED), b"%FF"]
)
@pytest.mark.parametrize("call", EACH)
def test_a_registration_that_is_not_known_is_404_before_the_topic(call: Call, token: bytes) -> None:
    path = call.path.replace(TOKEN.decode(), token.decode()).replace("news", "a%20b")
    bench = _bench(unknown_tokens=UnknownTokens.REJECT)
    expected = (404, "NOT_FOUND", "Requested entity was not found.")
    assert _refused(replace(call, path=path), bench) == expected


@pytest.mark.parametrize("call", EACH)
def test_a_registration_of_another_project_is_403(call: Call) -> None:
    path = call.path.replace(TOKEN.decode(), registration_token(Fate.OTHER_SENDER).decode())
    expected = (403, "PERMISSION_DENIED", "SenderId mismatch")
    assert _refused(replace(call, path=path), _bench()) == expected


@pytest.mark.parametrize("topic", ["a%20b", "%FF", "a" * 901, "caf%C3%A9", "%2Ftopics%2Fnews"])
@pytest.mark.parametrize("call", OF_ONE_TOPIC)
def test_a_topic_out_of_shape_is_400(call: Call, topic: str) -> None:
    bench = _bench()
    expected = (400, "INVALID_ARGUMENT", "Topic name contains invalid characters.")
    assert _refused(replace(call, path=call.path.replace("news", topic)), bench) == expected
    assert len(bench.subscriptions) == 0


@pytest.mark.parametrize("query", ["", "?topic_name=", "?topic=news"])
def test_create_needs_a_topic(query: str) -> None:
    assert _refused(replace(CREATE, path=PARENT + query), _bench())[:2] == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize("call", [PATCH, DELETE])
def test_allow_missing_is_true_or_false(call: Call) -> None:
    spoiled = replace(call, path=f"{PARENT}/news?allowMissing=perhaps")
    text = "Invalid value at 'allow_missing' (TYPE_BOOL), \"perhaps\""
    assert _refused(spoiled, _bench("news")) == (400, "INVALID_ARGUMENT", text)


@pytest.mark.parametrize("call", [CREATE, PATCH])
def test_a_registration_with_all_the_topics_it_may_have_gets_no_further_one(call: Call) -> None:
    bench = _bench(*(f"topic-{number}" for number in range(TOPICS_A_REGISTRATION_MAX)))
    assert _refused(call, bench)[:2] == (400, "FAILED_PRECONDITION")
    assert _refused(replace(CREATE, path=f"{PARENT}?topic_name=topic-7"), bench)[:2] == (409, "ALREADY_EXISTS")


@pytest.mark.parametrize("call", [CREATE, PATCH])
def test_a_full_rig_says_which_bound_is_reached(call: Call) -> None:
    bench = _bench("sport", subscriptions=Subscriptions(subscriptions_max=1))
    code, status, message = _refused(call, bench)
    assert (code, status, "SUBSCRIPTIONS_MAX" in message) == (429, "RESOURCE_EXHAUSTED", True)
    assert bench.topics_of(TOKEN) == ["sport"]
