"""Google's side of one simulator: requests of all its services in, answers out; verdicts counted and written down. No I/O.

Shared by all connections and both versions of HTTP. Whoever hands in the requests of a read calls `settle` after it, and asks
`deliver_slice` when there is time while `delivering`.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from simulator.devices.registration_space import Platform, SealedRegistration
from simulator.fcm.condition import parse_condition
from simulator.fcm.error_body import answer_of
from simulator.fcm.errors import Cause, Fault
from simulator.fcm.fan_out import FanOut
from simulator.fcm.html_page import bad_gateway_page, not_found_page, too_large_page
from simulator.fcm.instance_id import instance_id
from simulator.fcm.judge import ClearedCaller, Plain, Verdict, judge, passes_plainly, refused_delivery
from simulator.fcm.message import SendRequest, TargetKind
from simulator.fcm.message_names import FAKE_MESSAGE_ID, AcceptedBodies, MessageIds
from simulator.fcm.message_reading import read_send
from simulator.fcm.oauth import TOKEN_PATH, token_endpoint
from simulator.fcm.registrations import Registration
from simulator.fcm.request_target import path_of, segment_text, wants_pretty
from simulator.fcm.topic_subscriptions import topic_subscriptions
from simulator.http_answer import JSON, HttpAnswer
from simulator.journal import BODY_BYTES_KEPT_MAX as JOURNAL_BODY_BYTES_MAX
from simulator.rig import Rig
from wire.request import Request

BODY_BYTES_KEPT_MAX: Final = 262_144
"""Of one body; more is dropped by `wire`, and the request answered with 413. A batch of 1,000 registrations has 170 KB."""

BODY_LIMIT: Final = "google_body_bytes_max"
"""Its name in `Counters.limits_reached`. Nobody can tell whom such a request was for: it counts as nothing else."""

SLICE_WORK_MAX: Final = 128
"""How many registrations of Android are delivered to at a time; 4 µs each."""

IOS_WORK: Final = 10
"""As how many of Android one of iOS counts there."""

PROVIDER: Final = "fcm"

ACCEPTED_FIELDS: Final = (JSON,)
"""Of every accepted send: the same object, so that a shell may compare identity."""

_SEND_PATH = re.compile(rb"/v1/projects/([^/?]+)/messages:send")
_UNREAD = Verdict(None)


class FcmService:
    """All services of Google that the rig knows. `random_bytes`: such as `os.urandom`, for message ids."""

    def __init__(self, rig: Rig, random_bytes: Callable[[int], bytes]) -> None:
        self._rig = rig
        self._ids = MessageIds(random_bytes)
        self._bodies = AcceptedBodies(rig.fcm.project.project_id.encode())
        self._sent = 0  # since the last `settle`
        self._accepted = 0
        self._journalled = 0

    def answer(self, request: Request, connection_id: int, now_s: float) -> HttpAnswer:
        """Answer one request. Raises nothing, whatever it holds. `now_s`: the simulator's clock."""
        (found,) = self.accept_plainly((request,), connection_id, now_s)
        if isinstance(found, bytes):
            return HttpAnswer(200, ACCEPTED_FIELDS, found)
        return self.answer_fully(request, found, connection_id, now_s)

    def accept_plainly(
        self, requests: Sequence[Request], connection_id: int, now_s: float
    ) -> Iterator[bytes | SendRequest | Fault | None]:
        """The short way for the usual message, of each when it is asked for: the body of its answer, a 200 with
        `ACCEPTED_FIELDS`.

        Else nothing has happened, and what was read goes to `answer_fully`.
        """
        rig, now_ms = self._rig, int(now_s * 1000)
        accept, id_for_android, body_of = rig.ledger.accept, self._ids.for_android, self._bodies.of
        accepted = 0
        append = rig.journal.append  # looked up anew: whoever observes stands before it
        for request, found in zip(requests, passes_plainly(requests, rig.fcm, now_s), strict=True):
            if not isinstance(found, Plain):
                yield found
                continue
            sealed = found.sealed
            accept(sealed[1], sealed[2])
            accepted += 1
            message_id = id_for_android(now_s)
            append(
                (
                    now_ms,
                    PROVIDER,
                    None,
                    200,
                    None,
                    found.token,
                    message_id,
                    request.head,
                    request.body,
                    connection_id,
                    request.stream_id,
                    request.varying[0],
                )
            )
            yield body_of(message_id, found.pretty)
        self._sent += accepted
        self._accepted += accepted
        self._journalled += accepted

    def answer_fully(
        self, request: Request, read: SendRequest | Fault | None, connection_id: int, now_s: float
    ) -> HttpAnswer:
        """Answer any request. `read`: what is known of its body."""
        if len(request.body) >= BODY_BYTES_KEPT_MAX:
            self._rig.counters.limits_reached[BODY_LIMIT] += 1
            return too_large_page()
        cleared = request.head.memo
        if type(cleared) is ClearedCaller and cleared.path == request.varying[0]:
            return self._send(request, cleared.project, read, connection_id, now_s)
        match = _SEND_PATH.fullmatch(path_of(request))
        if match is not None and request.head.value(b":method") == b"POST":
            return self._send(request, segment_text(match[1]), read, connection_id, now_s)
        return self._routed(request, now_s)

    def _routed(self, request: Request, now_s: float) -> HttpAnswer:
        """The answer of any service but sending."""
        state, calls = self._rig.fcm, self._rig.counters.google_calls
        if path_of(request) == TOKEN_PATH and request.head.value(b":method") == b"POST":
            calls["token"] += 1
            return token_endpoint(request, state.access, now_s)
        answer = instance_id(request, state, now_s)
        if answer is not None:
            calls["instance-id"] += 1
            return answer
        answer = topic_subscriptions(request, state, now_s)
        if answer is not None:
            calls["topic-subscriptions"] += 1
            return answer
        calls["unknown"] += 1
        return not_found_page(request.varying[0] or b"")

    # Sending

    def _send(
        self, request: Request, project: str, read: SendRequest | Fault | None, connection_id: int, now_s: float
    ) -> HttpAnswer:
        rig = self._rig
        verdict = judge(request, project, rig.fcm, now_s, read)
        self._sent += 1
        refused, send, registration = verdict
        if refused is not None:
            return self._refuse(request, verdict, connection_id, now_s)
        assert send is not None
        self._accepted += 1
        sealed = None if registration is None else registration.sealed
        if sealed is not None and not send.validate_only:
            rig.ledger.accept(sealed.seed, sealed.index)
        message_id = self._message_id(send, registration, now_s)
        if registration is None and not send.validate_only:
            self._fan_out(request, send, message_id, connection_id, now_s)
        self._write_down(request, 200, None, target_of(send), message_id, connection_id, now_s)
        return HttpAnswer(200, ACCEPTED_FIELDS, self._bodies.of(message_id, wants_pretty(request)))

    def _message_id(self, send: SendRequest, registration: Registration | None, now_s: float) -> bytes:
        if send.validate_only:
            return FAKE_MESSAGE_ID
        if registration is None:
            return self._ids.for_topic()
        if registration.platform is Platform.IOS:
            return self._ids.for_ios()
        return self._ids.for_android(now_s)

    def _refuse(self, request: Request, verdict: Verdict, connection_id: int, now_s: float) -> HttpAnswer:
        refused = verdict.fault
        assert refused is not None
        self._note_refusal(request, verdict, refused.cause.status, refused.cause.reason, connection_id, now_s)
        if refused.cause is Cause.BAD_GATEWAY:
            return bad_gateway_page()
        return answer_of(refused, pretty=wants_pretty(request))

    def count_refusal(self, request: Request, status: int, reason: str, connection_id: int, now_s: float) -> None:
        """Count and write down a send that was refused without being judged, whatever its answer is.

        `reason`: the name that the refusal goes by. Takes a `settle` afterwards, as `answer` does.
        """
        self._sent += 1
        self._note_refusal(request, _UNREAD, status, reason, connection_id, now_s)

    def _note_refusal(
        self, request: Request, verdict: Verdict, status: int, reason: str, connection_id: int, now_s: float
    ) -> None:
        rig = self._rig
        _, send, registration = verdict
        if send is None:
            # Refused before it was read. The ledger shall know all the same which device got no for an answer.
            read = read_send(request.body)
            send = read if isinstance(read, SendRequest) else None
        if registration is None and send is not None:
            registration = self._registration_of(send)
        sealed = None if registration is None else registration.sealed
        # A dry run is none of the ledger's business, whatever comes of it [choice].
        if sealed is not None and send is not None and not send.validate_only:
            rig.ledger.reject(sealed.seed, sealed.index, reason)
        rig.counters.rejected_by_reason[reason] += 1
        self._write_down(request, status, reason, b"" if send is None else target_of(send), b"", connection_id, now_s)

    def _registration_of(self, send: SendRequest) -> Registration | None:
        target = None if send.message is None else send.message.target
        if target is None or target.kind not in (TargetKind.TOKEN, TargetKind.FID):
            return None
        return self._rig.fcm.registrations.find(target.text.encode("utf-8", "surrogatepass"))

    def _write_down(
        self,
        request: Request,
        status: int,
        reason: str | None,
        target: bytes,
        message_id: bytes,
        connection_id: int,
        now_s: float,
    ) -> None:
        self._journalled += 1
        self._rig.journal.append(
            (
                int(now_s * 1000),
                PROVIDER,
                None,
                status,
                reason,
                target,
                message_id,
                request.head,
                request.body[:JOURNAL_BODY_BYTES_MAX],
                connection_id,
                request.stream_id,
                request.varying[0],
            )
        )

    # Topics

    @property
    def delivering(self) -> bool:
        """Messages to topics wait for `deliver_slice`."""
        return len(self._rig.fcm.fan_outs) > 0

    def _fan_out(
        self, request: Request, send: SendRequest, message_id: bytes, connection_id: int, now_s: float
    ) -> None:
        """Begin to deliver to who follows the topic now, or comes to it while this is under way."""
        state, message = self._rig.fcm, send.message
        assert message is not None
        subscriptions = state.subscriptions
        if message.topic:
            registrations, expected = subscriptions.of_topic(message.topic), subscriptions.count_of_topic(message.topic)
        else:
            condition = parse_condition(message.condition or "")
            assert condition is not None  # the judge has read it
            registrations = subscriptions.matching(condition)
            # At most: a condition that holds for who follows nothing is held against everybody.
            expected = (
                len(subscriptions)
                if condition.evaluate(())
                else sum(subscriptions.count_of_topic(topic) for topic in condition.topics)
            )
        if state.rates.fanouts is not None:
            state.rates.fanouts.begin(expected, now_s)
        state.fan_outs.add(FanOut(send, registrations, request, message_id, connection_id))

    def deliver_slice(self) -> None:
        """Deliver to the next registrations, a hundred or so: each is judged, counted and written down alone.

        It takes half a millisecond. Those of iOS, which APNs judges as well, take ten times as long, so there are fewer.
        """
        rig, state = self._rig, self._rig.fcm
        found = state.fan_outs.next_slice()
        if found is None:
            return
        fan_out, keys = found
        message = fan_out.send.message
        assert message is not None
        now_s = rig.clock.now_s()
        work = 0
        for done, key in enumerate(keys):
            if work >= SLICE_WORK_MAX:
                state.fan_outs.put_back(keys[done:])
                break
            registration = state.registrations.find(key)
            if registration is None:
                continue  # no key of ours is malformed
            work += IOS_WORK if registration.platform is Platform.IOS else 1
            refused = refused_delivery(registration, message, state, now_s)
            self._count_delivery(registration.sealed, refused)
            status, reason = (200, None) if refused is None else (refused.cause.status, refused.cause.reason)
            self._write_down(fan_out.request, status, reason, key, fan_out.message_id, fan_out.connection_id, now_s)
        self.settle()

    def _count_delivery(self, sealed: SealedRegistration | None, refused: Fault | None) -> None:
        counters = self._rig.counters
        if refused is None:
            counters.topic_deliveries += 1
        else:
            counters.topic_deliveries_refused += 1
        if sealed is None:
            return
        if refused is None:
            self._rig.ledger.accept(sealed.seed, sealed.index)
        else:
            self._rig.ledger.reject(sealed.seed, sealed.index, refused.cause.reason)

    def settle(self) -> None:
        """Bring counters and journal up to date, once per read."""
        if self._journalled:
            counters = self._rig.counters
            counters.notifications += self._sent
            counters.accepted += self._accepted
            self._rig.journal.settle(self._journalled)
            self._sent = self._accepted = self._journalled = 0


def target_of(send: SendRequest) -> bytes:
    """The target of a message as the journal has it: token or FID as sent, `/topics/…`, or the condition; b"" for none."""
    message = send.message
    if message is None:
        return b""
    text = message.token or message.fid or (f"/topics/{message.topic}" if message.topic else message.condition)
    return (text or "").encode("utf-8", "surrogatepass")
