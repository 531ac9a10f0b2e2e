"""Instance ID: a valid request of each kind, and one thing spoiled at a time."""

import json
from dataclasses import replace
from typing import Any

import pytest

from simulator.apns.state import UnknownTokens
from simulator.devices.fates import Fate
from simulator.devices.registration_space import Platform
from simulator.devices.token_space import Environment
from simulator.fcm.access_token import LIFE_S_MAX
from simulator.fcm.instance_id import ACCESS_TOKEN_AUTH_TEXT, SERVER_KEY_TEXT, TokenFault, instance_id
from simulator.fcm.registrations import ApnsSeat, Registrations
from simulator.fcm.subscriptions import TOPICS_A_REGISTRATION_MAX, Subscriptions
from simulator.http_answer import JSON, HttpAnswer
from simulator.registry import DeviceState
from tests.fcm.registration_bench import (
    APPLICATION,
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
from tests.fcm.service_account import access_tokens

APNS_TOKEN = "0123456789abcdef" * 4
OTHER = registration_token(index=8)

ADD = Call("/iid/v1:batchAdd", json={"to": "/topics/news", "registration_tokens": [TOKEN.decode()]})
REMOVE = replace(ADD, path="/iid/v1:batchRemove")
FOLLOW = Call(f"/iid/v1/{TOKEN.decode()}/rel/topics/news")
INFO = Call(f"/iid/info/{TOKEN.decode()}", method="GET")
IMPORT = Call("/iid/v1:batchImport", json={"application": APPLICATION, "sandbox": False, "apns_tokens": [APNS_TOKEN]})
CALLS = [
    pytest.param(ADD, id="batchAdd"),
    pytest.param(REMOVE, id="batchRemove"),
    pytest.param(FOLLOW, id="rel"),
    pytest.param(INFO, id="info"),
    pytest.param(IMPORT, id="batchImport"),
]


def _answer(call: Call, bench: FcmBench) -> HttpAnswer | None:
    authorised = replace(call, authorization=bench.bearer()) if call.authorization == b"" else call
    return instance_id(authorised.request(), bench, bench.now_s)


def _told(call: Call, bench: FcmBench, status: int = 200) -> Any:
    answer = _answer(call, bench)
    assert answer is not None
    assert (answer.status, JSON in answer.fields) == (status, True)
    return json.loads(answer.body)


def _results(call: Call, bench: FcmBench, *tokens: bytes) -> list[object]:
    told = _told(call.with_json(registration_tokens=[token.decode() for token in tokens]), bench)
    assert list(told) == ["results"]
    results: list[object] = told["results"]
    return results


# Routes and credentials


@pytest.mark.parametrize("call", CALLS)
def test_every_call_in_order_is_answered_in_json(call: Call) -> None:
    _told(call, FcmBench())


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/iid/v1:batchAdd"),
        ("POST", f"/iid/info/{TOKEN.decode()}"),
        ("DELETE", f"/iid/v1/{TOKEN.decode()}/rel/topics/news"),
        ("POST", f"/iid/v1/{TOKEN.decode()}/rel/topics/"),
        ("POST", f"/iid/v1/{TOKEN.decode()}/rel/topics/news/more"),
        ("GET", "/iid/info/"),
        ("POST", "/iid/v1:batchanything"),
        ("POST", ""),
    ],
)
def test_other_methods_and_paths_are_not_the_services(method: str, path: str) -> None:
    assert _answer(replace(ADD, method=method, path=path, authorization=None), FcmBench()) is None


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("authorization", "text"),
    [
        (None, "Request is missing required authentication credential."),
        (b"Bearer nonsense", "Request had invalid authentication credentials."),
        (b"key=AIzaSyExample", SERVER_KEY_TEXT),
    ],
)
def test_a_bad_credential_is_401_before_anything_else(call: Call, authorization: bytes | None, text: str) -> None:
    spoiled = replace(call, authorization=authorization, access_token_auth=None, body=b"{")
    told = _told(spoiled, FcmBench(), 401)
    assert list(told) == ["error"] and told["error"].startswith(text)


def test_an_expired_credential_is_401() -> None:
    bench = FcmBench()
    authorization = bench.bearer()
    bench.now_s += LIFE_S_MAX
    assert "invalid authentication" in _told(replace(ADD, authorization=authorization), bench, 401)["error"]


def test_scopes_that_do_not_suffice_are_403() -> None:
    bench = FcmBench()
    _told(replace(ADD, authorization=bench.bearer("https://www.googleapis.com/auth/userinfo.email")), bench, 403)


def test_a_credential_in_the_query_counts() -> None:
    bench = FcmBench()
    token = bench.bearer().removeprefix(b"Bearer ").decode()
    assert _told(replace(ADD, path=f"{ADD.path}?access_token={token}", authorization=None), bench) == {"results": [{}]}


def test_the_old_server_key_passes_nowhere_not_even_leniently() -> None:
    bench = FcmBench(access=access_tokens(lenient=True))
    assert _told(replace(ADD, authorization=b"Bearer anything"), bench) == {"results": [{}]}
    assert _told(replace(ADD, authorization=b"key=anything"), bench, 401) == {"error": SERVER_KEY_TEXT}


@pytest.mark.parametrize("value", [None, b"", b"false", b"yes"])
def test_the_header_that_tells_of_an_access_token_is_needed(value: bytes | None) -> None:
    call = replace(ADD, access_token_auth=value, body=b"{")
    assert _told(call, FcmBench(), 401) == {"error": ACCESS_TOKEN_AUTH_TEXT}


# batchAdd, batchRemove


def test_a_batch_adds_and_removes_and_a_success_is_exactly_an_empty_object() -> None:
    bench = FcmBench()
    answer = _answer(ADD, bench)
    assert answer is not None and answer.body == b'{"results":[{}]}'
    assert (bench.topics_of(TOKEN), bench.topics_of(FID)) == (["news"], ["news"])
    answer = _answer(REMOVE, bench)
    assert answer is not None and answer.body == b'{"results":[{}]}'
    assert (bench.topics_of(TOKEN), len(bench.subscriptions)) == ([], 0)


@pytest.mark.parametrize("call", [ADD, REMOVE])
def test_doing_it_twice_is_as_good(call: Call) -> None:
    assert _results(call, FcmBench(), TOKEN, TOKEN, FID) == [{}, {}, {}]


@pytest.mark.parametrize("call", [ADD, REMOVE])
def test_each_token_has_its_own_entry_in_order(call: Call) -> None:
    bench = FcmBench(unknown_tokens=UnknownTokens.REJECT)
    tokens = [
        TOKEN,
        FOREIGN,
        MALFORMED,
        registration_token(Fate.OTHER_SENDER),
        registration_token(Fate.UNREGISTERED),
        OTHER,
    ]
    assert _results(call, bench, *tokens) == [
        {},
        {"error": "NOT_FOUND"},
        {"error": "INVALID_ARGUMENT"},
        {"error": "PERMISSION_DENIED"},
        {"error": "NOT_FOUND"},
        {},
    ]


def test_what_is_refused_is_not_added() -> None:
    bench = FcmBench()
    _results(ADD, bench, registration_token(Fate.STALE), registration_token(Fate.OTHER_SENDER), MALFORMED)
    assert len(bench.subscriptions) == 0


@pytest.mark.parametrize(
    "spoil",
    [
        {"to": None},
        {"to": "news"},
        {"to": "/topics/"},
        {"to": "/topics/a b"},
        {"to": "/topics//topics/news"},
        {"to": "/topics/" + "a" * 901},
        {"to": 5},
        {"registration_tokens": None},
        {"registration_tokens": []},
        {"registration_tokens": [FOREIGN.decode()] * 1_001},
        {"registration_tokens": TOKEN.decode()},
        {"registration_tokens": [5]},
    ],
)
@pytest.mark.parametrize("call", [ADD, REMOVE])
def test_a_batch_out_of_shape_is_an_invalid_argument(call: Call, spoil: dict[str, Any]) -> None:
    bench = FcmBench()
    assert _told(call.with_json(**spoil), bench, 400) == {"error": "INVALID_ARGUMENT"}
    assert len(bench.subscriptions) == 0


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"to":"\\ud800"}'])
@pytest.mark.parametrize("call", [ADD, REMOVE, IMPORT])
def test_a_body_that_is_no_json_object_is_an_invalid_argument(call: Call, body: bytes) -> None:
    assert _told(replace(call, body=body), FcmBench(), 400) == {"error": "INVALID_ARGUMENT"}


def test_a_thousand_tokens_are_a_batch() -> None:
    bench = FcmBench()
    tokens = [registration_token(index=index) for index in range(1_000)]
    assert _results(ADD, bench, *tokens) == [{}] * 1_000
    assert bench.subscriptions.count_of_topic("news") == 1_000


def test_the_longest_topic_is_taken() -> None:
    bench = FcmBench()
    _told(ADD.with_json(to="/topics/" + "a" * 900), bench)
    assert bench.topics_of(TOKEN) == ["a" * 900]


def _with_all_topics(bench: FcmBench) -> FcmBench:
    for number in range(TOPICS_A_REGISTRATION_MAX):
        bench.subscriptions.add(FID, f"topic-{number}", bench.now_s)
    return bench


def test_a_registration_with_all_the_topics_it_may_have_is_told_so() -> None:
    bench = _with_all_topics(FcmBench())
    assert _results(ADD, bench, TOKEN, OTHER) == [{"error": "TOO_MANY_TOPICS"}, {}]
    assert _results(ADD.with_json(to="/topics/topic-7"), bench, TOKEN) == [{}]
    assert _results(REMOVE.with_json(to="/topics/topic-7"), bench, TOKEN) == [{}]
    assert _results(ADD, bench, TOKEN) == [{}]


@pytest.mark.parametrize("call", [ADD, REMOVE])
def test_above_the_rate_of_changes_every_good_token_is_exhausted(call: Call) -> None:
    bench = _with_all_topics(FcmBench(rates=one_change_in(per_s=1)))
    assert _results(call, bench, OTHER) == [{}]
    too_many = "TOO_MANY_TOPICS" if call is ADD else "RESOURCE_EXHAUSTED"
    assert _results(call, bench, OTHER, MALFORMED, TOKEN) == [
        {"error": "RESOURCE_EXHAUSTED"},
        {"error": "INVALID_ARGUMENT"},
        {"error": too_many},
    ]
    bench.now_s += 1.1
    assert _results(call, bench, OTHER) == [{}]


def test_a_full_rig_says_exhausted_and_keeps_what_it_has() -> None:
    bench = FcmBench(subscriptions=Subscriptions(subscriptions_max=1))
    assert _results(ADD, bench, TOKEN, OTHER, TOKEN) == [{}, {"error": "RESOURCE_EXHAUSTED"}, {}]
    assert (bench.topics_of(TOKEN), bench.topics_of(OTHER)) == (["news"], [])


# rel


def test_one_registration_follows_one_topic() -> None:
    bench = FcmBench()
    assert _told(FOLLOW, bench) == {}
    assert bench.topics_of(TOKEN) == ["news"]


def test_the_segments_of_a_path_are_percent_decoded_once() -> None:
    bench = FcmBench()
    token = TOKEN.decode().replace(":", "%3A")
    assert _told(replace(FOLLOW, path=f"/iid/v1/{token}/rel/topics/ne%77s%2520"), bench) == {}
    assert bench.topics_of(TOKEN) == ["news%20"]


@pytest.mark.parametrize(
    ("token", "fault"),
    [
        (MALFORMED.replace(b" ", b"%20"), TokenFault.MALFORMED),
        (b"%FF", TokenFault.MALFORMED),
        (FOREIGN, TokenFault.GONE),
        (registration_token(Fate.UNREGISTERED), TokenFault.GONE),
        (registration_token(Fate.OTHER_SENDER), TokenFault.OTHER_PROJECT),
    ],
)
@pytest.mark.parametrize(("call", "path"), [(FOLLOW, "/iid/v1/{}/rel/topics/news"), (INFO, "/iid/info/{}")])
def test_a_path_that_names_no_live_registration_says_why(
    call: Call, path: str, token: bytes, fault: TokenFault
) -> None:
    bench = FcmBench(unknown_tokens=UnknownTokens.REJECT)
    told = _told(replace(call, path=path.format(token.decode())), bench, fault.status)
    assert told == {"error": fault.text}


def test_the_captured_texts_are_byte_for_byte() -> None:
    bench = FcmBench(unknown_tokens=UnknownTokens.REJECT)
    unknown = _answer(replace(INFO, path=f"/iid/info/{FOREIGN.decode()}"), bench)
    malformed = _answer(replace(INFO, path="/iid/info/nonsense"), bench)
    assert unknown == HttpAnswer(404, (JSON,), b'{"error":"No information found about this instance id."}')
    assert malformed == HttpAnswer(400, (JSON,), b'{"error":"InvalidToken"}')


def test_a_topic_out_of_shape_is_an_invalid_argument_before_the_registration() -> None:
    call = replace(FOLLOW, path="/iid/v1/nonsense/rel/topics/a%20b")
    assert _told(call, FcmBench(), 400) == {"error": "INVALID_ARGUMENT"}


def test_one_registration_too_full_or_too_fast_says_so() -> None:
    bench = _with_all_topics(FcmBench(rates=one_change_in(per_s=30)))
    assert _told(FOLLOW, bench, 400) == {"error": "TOO_MANY_TOPICS"}
    bench.subscriptions.remove(FID, "topic-7")
    answer = _answer(FOLLOW, bench)
    assert answer is not None and (answer.status, answer.body) == (429, b'{"error":"RESOURCE_EXHAUSTED"}')
    assert dict(answer.fields)[b"retry-after"] in (b"30", b"31")


# info


@pytest.mark.parametrize(
    ("platform", "name"), [(Platform.ANDROID, "ANDROID"), (Platform.IOS, "IOS"), (Platform.WEB, "WEBPUSH")]
)
def test_what_is_known_of_a_registration(platform: Platform, name: str) -> None:
    token = registration_token(platform=platform).decode()
    told = _told(replace(INFO, path=f"/iid/info/{token}"), FcmBench())
    assert list(told) == ["application", "authorizedEntity", "applicationVersion", "appSigner", "scope", "platform"]
    assert (told["application"], told["authorizedEntity"]) == (APPLICATION, PROJECT_NUMBER)
    assert (told["platform"], told["scope"], len(told["appSigner"])) == (name, "*", 40)


def test_details_tell_of_the_connection_and_of_topics() -> None:
    bench = FcmBench(now_s=1_750_000_000.0)  # 2025-06-15
    detailed = replace(INFO, path=INFO.path + "?details=true")
    assert _told(detailed, bench).items() >= {"connectDate": "2025-06-15", "connectionType": "WIFI"}.items()
    assert "rel" not in _told(detailed, bench)
    _told(ADD, bench)
    bench.now_s += 86_400
    told = _told(detailed, bench)
    assert (told["connectDate"], told["rel"]) == ("2025-06-16", {"topics": {"news": {"addDate": "2025-06-15"}}})


@pytest.mark.parametrize("query", ["", "?details=false", "?details", "?detail=true", "?details=maybe"])
def test_details_are_told_only_when_asked_for(query: str) -> None:
    assert "connectDate" not in _told(replace(INFO, path=INFO.path + query), FcmBench())


def test_a_fid_is_known_too() -> None:
    assert _told(replace(INFO, path=f"/iid/info/{FID.decode()}"), FcmBench())["platform"] == "ANDROID"


def test_a_registration_that_was_unregistered_by_hand_is_unknown() -> None:
    bench = FcmBench()
    bench.overlay.set(TOKEN, DeviceState(Fate.UNREGISTERED, 5))
    _told(INFO, bench, 404)


# batchImport


def test_an_apns_token_gets_a_registration_token_that_works_with_everything_else() -> None:
    bench = FcmBench(unknown_tokens=UnknownTokens.REJECT)
    (entry,) = _told(IMPORT.with_json(application="com.example.other"), bench)["results"]
    assert list(entry) == ["apns_token", "status", "registration_token"]
    assert (entry["apns_token"], entry["status"]) == (APNS_TOKEN, "OK")
    token = entry["registration_token"]
    assert _results(ADD, bench, token.encode()) == [{}]
    told = _told(replace(INFO, path=f"/iid/info/{token}"), bench)
    assert (told["application"], told["platform"]) == ("com.example.other", "IOS")


@pytest.mark.parametrize(
    ("sandbox", "environment"),
    [(None, Environment.PRODUCTION), (False, Environment.PRODUCTION), (True, Environment.SANDBOX)],
)
def test_an_import_is_of_production_unless_said(sandbox: bool | None, environment: Environment) -> None:
    bench = FcmBench()
    (entry,) = _told(IMPORT.with_json(sandbox=sandbox), bench)["results"]
    found = bench.registrations.find(entry["registration_token"].encode())
    assert found is not None and found.imported == ApnsSeat(APNS_TOKEN.encode(), APPLICATION, environment)


def test_each_apns_token_has_its_own_entry_in_order() -> None:
    tokens = ["nonsense", APNS_TOKEN, "abc", "", "é" * 64]
    results = _told(IMPORT.with_json(apns_tokens=tokens), FcmBench())["results"]
    assert [entry["apns_token"] for entry in results] == tokens
    statuses = [entry["status"] for entry in results]
    assert statuses == ["INVALID_ARGUMENT", "OK", *["INVALID_ARGUMENT"] * 3]
    assert ["registration_token" in entry for entry in results] == [False, True, False, False, False]


@pytest.mark.parametrize(
    "spoil",
    [
        {"application": None},
        {"application": ""},
        {"application": "com example"},
        {"sandbox": "yes"},
        {"apns_tokens": None},
        {"apns_tokens": []},
        {"apns_tokens": [APNS_TOKEN] * 101},
        {"apns_tokens": [5]},
    ],
)
def test_an_import_out_of_shape_is_an_invalid_argument(spoil: dict[str, Any]) -> None:
    bench = FcmBench()
    assert _told(IMPORT.with_json(**spoil), bench, 400) == {"error": "INVALID_ARGUMENT"}
    assert len(bench.registrations) == 0


def test_a_hundred_apns_tokens_are_an_import() -> None:
    tokens = [f"{number:064x}" for number in range(100)]
    results = _told(IMPORT.with_json(apns_tokens=tokens), FcmBench())["results"]
    assert {entry["status"] for entry in results} == {"OK"}
    assert len({entry["registration_token"] for entry in results}) == 100


def test_a_full_rig_imports_no_further_token() -> None:
    bench = FcmBench(registrations=Registrations(imported_max=1))
    results = _told(IMPORT.with_json(apns_tokens=[APNS_TOKEN, "ab" * 32, APNS_TOKEN]), bench)["results"]
    assert [entry["status"] for entry in results] == ["OK", "INTERNAL", "OK"]
