"""async-firebase as it comes from PyPI, led to the simulator by its own URLs: nothing is redirected, nothing patched."""

import asyncio
import re
from collections.abc import Awaitable, Callable

import pytest
from async_firebase import AsyncFirebaseClient
from async_firebase.errors import QuotaExceededError, SenderIdMismatchError, UnregisteredError
from async_firebase.messages import FCMBatchResponse, Message, MulticastMessage, Notification
from google.auth.transport.requests import Request
from google.oauth2.service_account import Credentials

from pushrig_pytest import PushSimulator, PushSimulatorFactory
from tests.sdk.message_names import ANDROID, DRY_RUN, TOPIC
from tests.sdk.taken_steps import RATES, ROOT

# This version of the library warns that registration tokens give way to installation ids.
pytestmark = pytest.mark.filterwarnings("ignore:.*tokens? is deprecated:DeprecationWarning")

HELLO = Notification(title="Hello", body="World")
MESSAGING = "https://www.googleapis.com/auth/firebase.messaging"

Use = Callable[[AsyncFirebaseClient], Awaitable[None]]


def use_client(simulator: PushSimulator, patch: pytest.MonkeyPatch, use: Use, *, http2: bool = False) -> None:
    """Have a client at the simulator's URL used. It finds whom to trust in the variables that `pushrig env` prints."""
    for name, value in simulator.environ.items():
        patch.setenv(name, value)

    class Client(AsyncFirebaseClient):  # type: ignore[misc]
        BASE_URL = simulator.url
        IID_URL = simulator.url

    # The library has Google's token endpoint built in; Google's own asks where the service account's file says.
    file = str(simulator.service_account_file)
    credentials = Credentials.from_service_account_file(file, scopes=[MESSAGING])  # type: ignore[no-untyped-call]
    credentials.refresh(Request())

    async def used() -> None:
        async with Client(credentials=credentials, use_http2=http2) as client:
            await use(client)

    asyncio.run(used())


@pytest.mark.parametrize("http2", [False, True], ids=["HTTP/1.1", "HTTP/2"])
def test_it_sends_to_the_url_it_is_given(
    push_simulator: PushSimulator, monkeypatch: pytest.MonkeyPatch, http2: bool
) -> None:
    good, gone = push_simulator.token(provider="fcm"), push_simulator.token("unregistered", provider="fcm")
    other = push_simulator.token("other-sender", provider="fcm")

    async def use(client: AsyncFirebaseClient) -> None:
        sent = await client.send(Message(token=good, notification=HELLO))
        assert sent.exception is None and re.fullmatch(ANDROID, str(sent.message_id))
        dry = await client.send(Message(token=good, notification=HELLO), dry_run=True)
        assert re.fullmatch(DRY_RUN, str(dry.message_id))
        several = MulticastMessage(tokens=[good, gone, other], notification=HELLO)
        batch: FCMBatchResponse = await client.send_each_for_multicast(several)
        assert (batch.success_count, batch.failure_count) == (1, 2)
        errors = [type(each.exception) for each in batch.responses]
        assert errors == [type(None), UnregisteredError, SenderIdMismatchError]

    use_client(push_simulator, monkeypatch, use, http2=http2)
    assert len(push_simulator.notifications(5, provider="fcm")) == 5


def test_its_subscribers_get_what_is_sent_to_the_topic(
    push_simulator: PushSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    followers, gone = push_simulator.tokens(2, provider="fcm"), push_simulator.token("unregistered", provider="fcm")
    first, second = followers

    async def use(client: AsyncFirebaseClient) -> None:
        told = await client.subscribe_to_topic([first, gone], "news")
        assert (told.success_count, told.failure_count) == (1, 1)
        assert [each.index for each in told.errors] == [1]
        with pytest.warns(DeprecationWarning):
            told = await client.subscribe_devices_to_topic([second], "news")  # by Instance ID
        assert (told.success_count, told.failure_count) == (1, 0)
        sent = await client.send(Message(topic="news", notification=HELLO))
        assert re.fullmatch(TOPIC, str(sent.message_id))

    use_client(push_simulator, monkeypatch, use)
    for token in followers:
        [delivered] = push_simulator.notifications(1, token=token)
        assert delivered.accepted


def test_it_knows_when_a_device_had_too_much(
    push_simulator_factory: PushSimulatorFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with push_simulator_factory("--limits", str(ROOT / RATES)) as simulator:
        token = simulator.token(provider="fcm")

        async def use(client: AsyncFirebaseClient) -> None:
            errors = [(await client.send(Message(token=token, notification=HELLO))).exception for _ in range(5)]
            assert [type(error) for error in errors] == [*[type(None)] * 4, QuotaExceededError]

        use_client(simulator, monkeypatch, use)
