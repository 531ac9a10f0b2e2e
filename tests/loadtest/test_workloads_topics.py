"""Registrations that come to follow topics: each has its result, what failed for the moment is asked for again. Pure."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.workloads.subscribing import POLICY, REFUSED, Called, Subscribed, subscribe
from sender.fcm.message_template import compile as compile_message
from sender.fcm.topic_subscription import TOKENS_MAX, read_results, request_body
from sender.store.records import Due


class Service:
    """Answers calls as told, one after another, then all well; keeps what was asked and how long was waited."""

    def __init__(self, *answers: tuple[int, list[str] | None]) -> None:
        self.answers = list(answers)
        self.asked: list[list[str]] = []
        self.pauses_s: list[float] = []

    def call(self, body: bytes) -> Called:
        asked = msgspec.json.decode(body)
        assert asked["to"] == "/topics/news"
        tokens = asked["registration_tokens"]
        self.asked.append(tokens)
        status, errors = self.answers.pop(0) if self.answers else (200, None)
        results = [{"error": error} if error else {} for error in errors or [""] * len(tokens)]
        return Called(status, msgspec.json.encode({"results": results}) if status == 200 else b"no JSON")

    def subscribe(self, *tokens: str) -> Subscribed:
        return subscribe("news", tokens, self.call, self.pauses_s.append)


def test_all_follow_the_topic_after_one_call() -> None:
    service = Service()
    assert service.subscribe("a", "b") == Subscribed(["", ""], [True, True])
    assert (service.asked, service.pauses_s) == ([["a", "b"]], [])


def test_those_that_cannot_are_told_and_not_asked_for_again() -> None:
    service = Service((200, ["", "NOT_FOUND", "INVALID_ARGUMENT"]))
    assert service.subscribe("a", "b", "c") == Subscribed(["", "NOT_FOUND", "INVALID_ARGUMENT"], [True] * 3)
    assert len(service.asked) == 1


def test_those_that_failed_for_the_moment_are_asked_for_again_alone_after_a_pause() -> None:
    service = Service((200, ["", "RESOURCE_EXHAUSTED", "NOT_FOUND"]))
    assert service.subscribe("a", "b", "c") == Subscribed(["", "", "NOT_FOUND"], [True] * 3)
    assert service.asked == [["a", "b", "c"], ["b"]]
    assert service.pauses_s == [pytest.approx(POLICY.base_s * 0.75)]


@pytest.mark.parametrize("status", [0, 401, 429, 503])
def test_a_call_that_failed_for_the_moment_is_made_again(status: int) -> None:
    service = Service((status, None))
    assert service.subscribe("a").errors == [""]
    assert len(service.asked) == 2


def test_after_all_attempts_there_is_no_final_result() -> None:
    service = Service(*[(0, None)] * POLICY.attempts_max)
    assert service.subscribe("a", "b") == Subscribed([REFUSED, REFUSED], [False, False])
    assert len(service.asked) == POLICY.attempts_max
    assert len(service.pauses_s) == POLICY.attempts_max - 1


def test_a_call_that_is_refused_for_good_is_not_made_again() -> None:
    service = Service((403, None))
    assert service.subscribe("a") == Subscribed(["403 from the subscription of topics"], [False])
    assert (len(service.asked), service.pauses_s) == (1, [])


@given(st.integers(1, 2 * TOKENS_MAX + 10))
def test_calls_name_a_thousand_registrations_at_most(count: int) -> None:
    service = Service()
    tokens = [str(number) for number in range(count)]
    assert service.subscribe(*tokens).errors == [""] * count
    assert [token for asked in service.asked for token in asked] == tokens
    assert max(map(len, service.asked)) <= TOKENS_MAX


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"results":[{}]}', b'{"results":"x"}', b"[" * 100_000, b'"\xff"'])
def test_what_is_no_answer_to_two_registrations_is_none(body: bytes) -> None:
    assert read_results(body, 2) is None


def test_the_request_is_that_of_the_documentation() -> None:
    assert request_body("news", ["a", "b"]) == b'{"to":"/topics/news","registration_tokens":["a","b"]}'
    assert read_results(b'{"results":[{},{"error":"NOT_FOUND"}]}', 2) == ["", "NOT_FOUND"]


@pytest.mark.parametrize("target", ["topic", "condition", "token"])
def test_a_message_goes_to_the_target_that_was_asked_for(target: str) -> None:
    body = compile_message(b'{"notification":{"title":"Sale"}}').bodies(1, target)(Due(7, "'a' in topics", 0, 0, b"{}"))
    assert isinstance(body, bytes)
    message = msgspec.json.decode(body)["message"]
    assert message[target] == "'a' in topics"
    assert message.keys() == {target, "data", "notification"}
