"""The options of a load test: a valid set, spoiled one at a time."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from loadtest.errors import LoadSettingsError
from loadtest.load_settings import LoadSettings, Options, connections_to, settings_of
from simulator.devices.fates import Fate, Provider
from simulator.devices.token_space import Environment, Population
from tests.sender.test_service_account_file import written

HOST = "https://localhost:8443"


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("key") / "AuthKey.p8"
    key = ec.generate_private_key(ec.SECP256R1())
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


def settings(
    key: Path, host: str | None = HOST, environ: dict[str, str] | None = None, **changed: object
) -> LoadSettings:
    valid: dict[str, object] = {
        "provider": "apns",
        "devices": 1_000,
        "seed": 7,
        "topic": "com.example.app",
        "apns_environment": "production",
        "fate": "unregistered=0.02, wrong-topic=0.005",
        "start_index": 500,
        "batch_size": 100,
        "connections_per_user": 2,
        "notifications_rate": 0.0,
        "load_profile": "breaking-news:base=100",
        "arrivals": "poisson",
        "ceiling": 0.0,
        "batches_file": "",
        "fcm_share": 0.5,
        "ios": 0.0,
        "payload": "",
        "message": "",
        "service_account": "",
        "key_file": str(key),
        "key_id": "ABCDEFGHIJ",
        "team_id": "0123456789",
    }
    options = cast(Options, SimpleNamespace(**(valid | changed)))
    return settings_of(options, host, environ or {})


def test_a_valid_set(key_file: Path) -> None:
    made = settings(key_file)
    assert (made.devices, made.start_index, made.population.count) == (1_000, 500, 1_500)
    assert made.population.fates == ((Fate.UNREGISTERED, 0.02), (Fate.WRONG_TOPIC, 0.005))
    assert isinstance(made.population, Population) and made.population.environment is Environment.PRODUCTION
    assert made.apns is not None and made.fcm is None
    assert made.endpoint.port == 8443
    assert made.profile is not None and made.profile.rate_per_s(15.0) == 1_000
    assert (made.poisson, made.batch_size) == (True, 100)


def test_without_a_profile_users_send_as_fast_as_they_are_answered(key_file: Path) -> None:
    for name in ("", "max"):
        made = settings(key_file, load_profile=name, batch_size=0)
        assert (made.profile, made.batch_size) == (None, 1_000)


def test_batches_are_as_small_as_the_profile_needs_unless_their_size_is_given(key_file: Path) -> None:
    assert settings(key_file, load_profile="steady:rate=5k", batch_size=0).batch_size == 25


def test_rates_may_be_shares_of_the_ceiling(key_file: Path) -> None:
    made = settings(key_file, load_profile="steady:rate=50%", ceiling="8000")
    assert made.profile is not None and made.profile.rate_per_s(0) == 4_000


def test_each_provider_brings_what_it_needs_and_its_devices(key_file: Path, tmp_path: Path) -> None:
    account = str(written(tmp_path))
    fcm = settings(key_file, provider="fcm", fate="stale=0.5", service_account=account, key_file="", key_id="")
    assert fcm.apns is None and fcm.fcm is not None and fcm.fcm.account.project_id == "shop-1"
    assert set(fcm.population.providers(0, 50)) == {Provider.FCM}
    both = settings(key_file, provider="both", service_account=account, fcm_share="0.5")
    assert both.apns is not None and both.fcm is not None
    assert set(both.population.providers(0, 50)) == set(Provider)


def test_without_a_profile_half_of_the_ceiling_is_scheduled_and_nothing_where_it_is_not_known(key_file: Path) -> None:
    made = settings(key_file, load_profile="", ceiling="8000")
    assert made.profile is not None and made.profile.rate_per_s(99.0) == 4_000
    assert settings(key_file, load_profile="", ceiling=0.0).profile is None
    assert settings(key_file, load_profile="max", ceiling=8_000.0).profile is None
    paced = settings(key_file, load_profile="", ceiling=8_000.0, notifications_rate=5.0).profile
    assert paced is not None and paced.rate_per_s(99.0) == 5


def test_numbers_from_the_web_form_may_be_text(key_file: Path) -> None:
    made = settings(key_file, devices="20", notifications_rate="1.5", load_profile="")
    assert made.devices == 20
    assert made.profile is not None and made.profile.rate_per_s(99.0) == 1.5


def test_the_endpoint_may_come_from_the_environment(key_file: Path) -> None:
    assert settings(key_file, host=None, environ={"PUSHRIG_URL": HOST}).endpoint.port == 8443


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"devices": 0}, "--devices: must be from 1"),
        ({"devices": "many"}, "--devices: 'many' is no whole number"),
        ({"seed": -1}, "--seed: must be from 0"),
        ({"start_index": 2**40}, "--start-index: must be from 0"),
        ({"topic": "com example"}, "--topic: topic must be a bundle id"),
        ({"apns_environment": "moon"}, "--apns-environment: must be production or sandbox"),
        ({"fate": "gone=0.5"}, "--fate: 'gone=0.5': no fate is called"),
        ({"fate": "unregistered=2"}, "--fate:"),
        ({"batch_size": -1}, "--batch-size: must be from 0"),
        ({"load_profile": "steady"}, "--load-profile: steady needs rate="),
        ({"load_profile": "steady:rate=50%"}, "--load-profile: steady: rate=50% needs the simulator's ceiling"),
        ({"notifications_rate": 5.0}, "--notifications-rate: goes without --load-profile"),
        ({"load_profile": "steady:rate=9,for=10s"}, "schedules 90 notifications in all, and there are 1,000 devices"),
        ({"arrivals": "random"}, "--arrivals: must be one of constant, poisson, not 'random'"),
        ({"ceiling": "high"}, "--ceiling: must be a number from 0 (unknown) upwards"),
        ({"connections_per_user": 65}, "--connections-per-user: must be from 1 to 64"),
        ({"notifications_rate": -1.0}, "--notifications-rate: must be a number from 0"),
        ({"notifications_rate": float("nan")}, "--notifications-rate: must be a number from 0"),
        ({"payload": "/no/such/file"}, "--payload: cannot read /no/such/file"),
        ({"message": "/no/such/file", "provider": "fcm", "fate": ""}, "--message: cannot read /no/such/file"),
        ({"provider": "gcm"}, "--provider: must be one of apns, fcm, both"),
        ({"provider": "fcm", "fate": ""}, "--service-account: is missing; set GOOGLE_APPLICATION_CREDENTIALS"),
        ({"provider": "fcm", "fate": "", "service_account": "/no/such"}, "--service-account: cannot read"),
        ({"provider": "fcm"}, "--fate: tokens of fcm know no fate wrong-topic"),
        ({"provider": "both", "seed": 2**32}, "--seed: must be from 0 to 4294967295"),
        ({"provider": "both", "fcm_share": 1.5}, "--fcm-share: must be a share from 0 to 1"),
        ({"provider": "fcm", "fate": "", "ios": "all"}, "--ios: must be a share from 0 to 1"),
        ({"key_file": ""}, "--key-file: is missing; set APNS_KEY_FILE"),
        ({"key_file": "/no/such/key"}, "cannot read the key file"),
        ({"key_id": ""}, "--key-id: is missing; set APNS_KEY_ID"),
        ({"team_id": "short"}, "is not 10 letters and digits"),
        ({"host": ""}, "--host: say where to send"),
        ({"host": "localhost:8443"}, "--host: the endpoint 'localhost:8443' must be https://"),
        ({"environ": {"SSL_CERT_FILE": "/no/ca.pem"}}, "SSL_CERT_FILE: there is no file /no/ca.pem"),
    ],
)
def test_each_bad_option_is_named_with_what_to_do(key_file: Path, changed: dict[str, object], says: str) -> None:
    with pytest.raises(LoadSettingsError) as raised:
        settings(key_file, **changed)  # type: ignore[arg-type]
    assert says in str(raised.value)


def test_a_payload_that_is_not_json_is_refused_with_its_place(key_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "payload.json"
    path.write_bytes(b'{"aps":\n oops}')
    with pytest.raises(LoadSettingsError, match="line 2"):
        settings(key_file, payload=str(path))


@pytest.mark.parametrize(
    ("provider", "connections_per_user", "connections"),
    [
        (Provider.APNS, 1, 1),
        (Provider.APNS, 64, 64),
        (Provider.FCM, 1, 5),
        (Provider.FCM, 12, 60),
        (Provider.FCM, 13, 64),
        (Provider.FCM, 64, 64),
    ],
)
def test_a_user_keeps_more_connections_to_fcm_as_far_as_a_pool_may(
    provider: Provider, connections_per_user: int, connections: int
) -> None:
    assert connections_to(provider, connections_per_user) == connections
