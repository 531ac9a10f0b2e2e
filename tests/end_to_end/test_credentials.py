"""The state directory: made once, read by all, trusted by TLS clients, renewed in time, and clear about damage."""

import json
import os
import shutil
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from simulator.apns.certificate import CERTIFICATE_TOPICS_MAX, ClientCertificate, read_client_certificate
from simulator.apns.push_types import bundle_id
from simulator.certificates import (
    CLIENT_TOPICS_BYTES_MAX,
    CLOCK_SKEW_ALLOWED,
    VALIDITY,
    make_client_certificate,
    make_server_certificate,
)
from simulator.credentials import (
    BUNDLE_MARK,
    HOST_NAMES,
    RENEWED_BEFORE_EXPIRY_S,
    Credentials,
    find_system_roots,
    load_or_create,
)
from simulator.devices.token_space import Environment
from simulator.errors import CredentialsError
from simulator.provider_tls import server_tls_context

ROOT = Path(__file__).parents[2]
NOW_S = 1_790_000_000.0
CLIENT_FILES = ("client-ca.pem", "client.pem", "client.key")
SERVER_FILES = ("ca.pem", "server.pem", "server.key")
FILES = (*SERVER_FILES, *CLIENT_FILES, "bundle.pem", "credentials.json")


@pytest.fixture
def credentials(tmp_path: Path) -> Credentials:
    """Credentials made at NOW_S."""
    return load_or_create(tmp_path / "state", NOW_S, {})


def _tls(credentials: Credentials) -> ssl.SSLContext:
    return server_tls_context(
        credentials.server_certificate_file, credentials.server_key_file, credentials.client_ca_file
    )


def _contents(credentials: Credentials) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in credentials.state_dir.iterdir()}


# ---- The directory


def test_the_directory_and_its_files_are_for_the_owner_only(credentials: Credentials) -> None:
    assert stat.S_IMODE(credentials.state_dir.stat().st_mode) == 0o700
    for path in credentials.state_dir.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert set(_contents(credentials)) == {
        *FILES,
        "lock",
        "service-account.json",
        f"AuthKey_{credentials.key_id}.p8",
    }


def test_a_second_start_changes_nothing(credentials: Credentials) -> None:
    before = _contents(credentials)
    assert load_or_create(credentials.state_dir, NOW_S + 1, {}) == credentials
    assert _contents(credentials) == before


def test_a_start_with_everything_in_place_does_without_cryptography(credentials: Credentials) -> None:
    program = (
        "import sys, pathlib\n"
        "from simulator.credentials import load_or_create\n"
        "from simulator.provider_tls import server_tls_context\n"
        f"made = load_or_create(pathlib.Path({str(credentials.state_dir)!r}), {NOW_S})\n"
        "server_tls_context(made.server_certificate_file, made.server_key_file, made.client_ca_file)\n"
        "assert 'cryptography' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


def test_the_packages_of_the_control_plane_are_not_waited_for() -> None:
    program = (
        "import sys\nimport simulator.serve\nassert not {'cryptography', 'starlette', 'hypercorn'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


def test_parallel_first_starts_agree(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib\n"
        "from simulator.credentials import load_or_create\n"
        "from simulator.provider_tls import server_tls_context\n"
        "import simulator.certificates\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        f"made = load_or_create(pathlib.Path({str(tmp_path / 'state')!r}), {NOW_S})\n"
        "server_tls_context(made.server_certificate_file, made.server_key_file, made.client_ca_file)\n"
        "made.public_key()\n"
        "print(made.key_id, hash(made.ca_file.read_bytes()), hash(made.bundle_file.read_bytes()))\n"
    )
    environ = {**os.environ, "PYTHONHASHSEED": "0"}
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environ,
        )
        for _ in range(6)
    ]
    for start in starts:
        assert start.stdout is not None
        assert start.stdout.readline() == "ready\n"
    for start in starts:
        assert start.stdin is not None
        start.stdin.write("\n")
        start.stdin.flush()
    lines = [start.communicate(timeout=30)[0] for start in starts]
    assert [start.returncode for start in starts] == [0] * 6
    assert len(set(lines)) == 1
    assert len(list((tmp_path / "state").glob("AuthKey_*"))) == 1
    assert not list((tmp_path / "state").glob(".*"))


def test_a_directory_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    state_dir = tmp_path / "my state"
    state_dir.mkdir()
    state_dir.chmod(0o770)
    with pytest.raises(CredentialsError, match=r"mode 0770.*chmod 700 '.*my state'"):
        load_or_create(state_dir, NOW_S, {})
    assert not list(state_dir.iterdir())


def test_a_place_where_no_directory_can_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for state_dir in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(CredentialsError, match="--state-dir"):
            load_or_create(state_dir, NOW_S, {})


# ---- Damage


@pytest.mark.parametrize("name", ["ca.pem", "server.pem", "server.key", "AuthKey"])
@pytest.mark.parametrize("damage", ["missing", "empty", "garbage"])
def test_a_damaged_file_is_named_with_what_to_do(credentials: Credentials, name: str, damage: str) -> None:
    path = credentials.key_file if name == "AuthKey" else credentials.state_dir / name
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(b"" if damage == "empty" else b"\xff" * 100)
    with pytest.raises(CredentialsError) as refused:
        load_or_create(credentials.state_dir, NOW_S, {})
    assert str(refused.value).startswith(f"{path}: ")
    assert "remove the state directory" in str(refused.value)


def test_damage_inside_the_pem_is_found_when_the_file_is_used(credentials: Credentials) -> None:
    for path in (credentials.key_file, credentials.server_key_file, credentials.server_certificate_file):
        path.write_bytes(path.read_bytes().replace(b"M", b"!"))
    with pytest.raises(CredentialsError, match="AuthKey"):
        credentials.public_key()
    with pytest.raises(CredentialsError, match=r"server\.pem"):
        _tls(credentials)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda record: record.pop("team_id"),
        lambda record: record.update(team_id="../../etc/x"),
        lambda record: record.update(key_id="lowercase1"),
        lambda record: record.update(key_id="ABCDEFGHI\n"),
        lambda record: record.update(format=2),
        lambda record: record.update(certificates_not_after_s="soon"),
    ],
)
def test_a_spoiled_credentials_json_is_named(credentials: Credentials, spoil: object) -> None:
    path = credentials.state_dir / "credentials.json"
    record = json.loads(path.read_text())
    assert callable(spoil)
    spoil(record)
    path.write_text(json.dumps(record))
    with pytest.raises(CredentialsError, match=r"credentials\.json: is damaged"):
        load_or_create(credentials.state_dir, NOW_S, {})


def test_a_provider_key_that_is_not_p256_is_refused(credentials: Credentials) -> None:
    other = ec.generate_private_key(ec.SECP384R1())
    for encryption in (serialization.NoEncryption(), serialization.BestAvailableEncryption(b"secret")):
        credentials.key_file.write_bytes(
            other.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        )
        with pytest.raises(CredentialsError, match=r"P-256|encrypted"):
            credentials.public_key()


# ---- Renewal


def test_certificates_are_renewed_thirty_days_before_they_expire_and_the_key_stays(credentials: Credentials) -> None:
    due_s = credentials.certificates_not_after_s - RENEWED_BEFORE_EXPIRY_S
    before = _contents(credentials)
    load_or_create(credentials.state_dir, due_s - 1, {})
    assert _contents(credentials) == before

    renewed = load_or_create(credentials.state_dir, due_s, {})
    after = _contents(credentials)
    assert (renewed.team_id, renewed.key_id) == (credentials.team_id, credentials.key_id)
    assert after[credentials.key_file.name] == before[credentials.key_file.name]
    assert all(after[name] != before[name] for name in FILES)
    assert after["bundle.pem"].endswith(after["ca.pem"])
    assert renewed.certificates_not_after_s > credentials.certificates_not_after_s


def test_certificates_made_under_a_clock_far_ahead_are_renewed(credentials: Credentials) -> None:
    earlier = load_or_create(credentials.state_dir, NOW_S - 10 * 86_400, {})
    assert earlier.certificates_not_after_s < credentials.certificates_not_after_s


def test_certificates_without_a_host_name_of_today_are_renewed(credentials: Credentials) -> None:
    path = credentials.state_dir / "credentials.json"
    record = json.loads(path.read_text())
    record["host_names"].pop()
    path.write_text(json.dumps(record))
    before = credentials.ca_file.read_bytes()
    load_or_create(credentials.state_dir, NOW_S, {})
    assert credentials.ca_file.read_bytes() != before


def test_a_start_killed_between_certificate_and_key_is_mended_by_the_next(
    credentials: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(Exception):
        pass

    def write_until_the_key(path: Path, content: bytes, mode: int = 0o600) -> None:
        if path.name == "server.key":
            raise KilledError
        path.write_bytes(content)

    due_s = credentials.certificates_not_after_s
    with monkeypatch.context() as patch, pytest.raises(KilledError):
        patch.setattr("simulator.credentials.write_atomically", write_until_the_key)
        load_or_create(credentials.state_dir, due_s, {})
    with pytest.raises(CredentialsError, match="is not the key of"):
        _tls(credentials)
    mended = load_or_create(credentials.state_dir, due_s, {})
    _tls(mended)


def test_a_start_killed_between_the_files_of_the_client_is_mended_by_the_next(
    credentials: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(Exception):
        pass

    def write_until_the_key(path: Path, content: bytes, mode: int = 0o600) -> None:
        if path.name == "client.key":
            raise KilledError
        path.write_bytes(content)

    with monkeypatch.context() as patch, pytest.raises(KilledError):
        patch.setattr("simulator.credentials.write_atomically", write_until_the_key)
        load_or_create(credentials.state_dir, NOW_S, {}, client_topics=("com.example.other",))
    mended = load_or_create(credentials.state_dir, NOW_S, {}, client_topics=("com.example.other",))
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(mended.client_certificate_file, mended.client_key_file)


def test_other_topics_make_another_client_certificate_and_leave_the_server_alone(credentials: Credentials) -> None:
    before = _contents(credentials)
    for topics in (("com.example.other",), ("com.example.other", "com.example.app")):
        changed = load_or_create(credentials.state_dir, NOW_S, {}, client_topics=topics)
        after = _contents(changed)
        assert all(after[name] == before[name] for name in (*SERVER_FILES, "bundle.pem", credentials.key_file.name))
        assert all(after[name] != before[name] for name in CLIENT_FILES)
        assert _read(changed).topics[0] == b"com.example.other"
        assert load_or_create(credentials.state_dir, NOW_S, {}, client_topics=topics) == changed
        assert _contents(changed) == after
        before = after


def test_a_state_directory_from_before_client_certificates_gets_one(credentials: Credentials) -> None:
    path = credentials.state_dir / "credentials.json"
    record = {name: value for name, value in json.loads(path.read_text()).items() if not name.startswith("client_")}
    path.write_text(json.dumps(record))
    for name in CLIENT_FILES:
        (credentials.state_dir / name).unlink()
    before = _contents(credentials)
    load_or_create(credentials.state_dir, NOW_S, {})
    after = _contents(credentials)
    assert all(after[name] == before[name] for name in SERVER_FILES)
    assert set(CLIENT_FILES) <= set(after)


# ---- What the certificates say


def _read(credentials: Credentials) -> ClientCertificate:
    return read_client_certificate(ssl.PEM_cert_to_DER_cert(credentials.client_certificate_file.read_text()))


def test_the_client_certificate_is_universal(credentials: Credentials) -> None:
    read = _read(credentials)
    assert read.environments == frozenset(Environment)
    assert read.topics[:3] == (b"com.example.app", b"com.example.app.voip", b"com.example.app.complication")
    # What Apple keeps to provider tokens is not among them.
    assert not any(topic.endswith((b".location-query", b".push-type.liveactivity")) for topic in read.topics)
    subject = x509.load_pem_x509_certificate(credentials.client_certificate_file.read_bytes()).subject
    assert subject.get_attributes_for_oid(NameOID.USER_ID)[0].value == "com.example.app"
    assert subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)[0].value == credentials.team_id


@pytest.mark.parametrize(
    "topics",
    [
        ("com.example.app.voip", "com.example.app"),  # suffixed, and of one bundle id
        (".voip",),
        ("x" * 255,),
        tuple(f"com.example.app{number}" for number in range(10_000)),
        tuple(f"{number:03}" + "x" * 252 for number in range(400)),
    ],
)
def test_any_topics_that_the_settings_take_go_into_a_certificate_that_can_be_read(topics: tuple[str, ...]) -> None:
    made = make_client_certificate(topics, "TEAM000001", NOW_S)
    der = ssl.PEM_cert_to_DER_cert(made.certificate.decode())
    read = read_client_certificate(der)
    assert 1 <= len(read.topics) <= CERTIFICATE_TOPICS_MAX
    assert len(der) < CLIENT_TOPICS_BYTES_MAX + 2_000
    assert bundle_id(topics[0].encode()) in read.topics or topics[0].encode() in read.topics


def test_the_ca_is_limited_to_this_machine_and_the_providers(credentials: Credentials) -> None:
    ca = x509.load_pem_x509_certificate(credentials.ca_file.read_bytes())
    constraints = ca.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    assert constraints.value.permitted_subtrees is not None
    permitted = {str(name.value) for name in constraints.value.permitted_subtrees}
    assert permitted == {*HOST_NAMES, "127.0.0.0/8", "::1/128"}


def test_the_keys_of_the_cas_are_nowhere_in_the_directory(credentials: Credentials) -> None:
    cas = [
        x509.load_pem_x509_certificate(path.read_bytes()).public_key()
        for path in (credentials.ca_file, credentials.client_ca_file)
    ]
    keys = [
        serialization.load_pem_private_key(content, None).public_key()
        for name, content in _contents(credentials).items()
        if b"PRIVATE KEY" in content and name != credentials.service_account_file.name
    ]
    assert len(keys) == 3
    assert not any(ca in keys for ca in cas)


def test_validity_is_what_apple_allows_and_starts_before_now(credentials: Credentials) -> None:
    for path in (
        credentials.ca_file,
        credentials.server_certificate_file,
        credentials.client_ca_file,
        credentials.client_certificate_file,
    ):
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == VALIDITY
        assert certificate.not_valid_before_utc.timestamp() == NOW_S - CLOCK_SKEW_ALLOWED.total_seconds()
        assert certificate.not_valid_after_utc.timestamp() == credentials.certificates_not_after_s


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")
def test_openssl_strict_accepts_the_client_certificate_for_clients_alone(credentials: Credentials) -> None:
    command = ["openssl", "verify", "-x509_strict", "-attime", str(int(NOW_S)), "-purpose"]
    files = ["-CAfile", str(credentials.client_ca_file), str(credentials.client_certificate_file)]
    subprocess.run([*command, "sslclient", *files], check=True, capture_output=True)
    assert subprocess.run([*command, "sslserver", *files], capture_output=True).returncode != 0


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")
def test_openssl_strict_accepts_every_host_name(credentials: Credentials) -> None:
    command = ["openssl", "verify", "-x509_strict", "-attime", str(int(NOW_S)), "-purpose", "sslserver"]
    command += ["-CAfile", str(credentials.ca_file)]
    for host in HOST_NAMES:
        subprocess.run(
            [*command, "-verify_hostname", host, credentials.server_certificate_file],
            check=True,
            capture_output=True,
        )


def test_the_provider_key_is_pkcs8_on_p256(credentials: Credentials) -> None:
    content = credentials.key_file.read_bytes()
    assert content.startswith(b"-----BEGIN PRIVATE KEY-----\n")
    key = serialization.load_pem_private_key(content, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.public_key() == credentials.public_key()


# ---- The bundle


def test_the_bundle_holds_the_systems_roots_and_ours(tmp_path: Path) -> None:
    roots = tmp_path / "roots.pem"
    roots.write_bytes(make_server_certificate(("example.com",), NOW_S).ca)
    made = load_or_create(tmp_path / "state", NOW_S, {"SSL_CERT_FILE": str(roots)})
    assert made.bundle_file.read_bytes() == BUNDLE_MARK + roots.read_bytes() + made.ca_file.read_bytes()
    context = ssl.create_default_context(cafile=made.bundle_file)
    assert context.cert_store_stats()["x509_ca"] == 2


def test_the_bundle_follows_the_systems_roots(tmp_path: Path) -> None:
    roots = tmp_path / "roots.pem"
    environ = {"SSL_CERT_FILE": str(roots)}
    for _ in range(2):
        roots.write_bytes(make_server_certificate(("example.com",), NOW_S).ca)
        made = load_or_create(tmp_path / "state", NOW_S, environ)
        assert roots.read_bytes() in made.bundle_file.read_bytes()


def test_a_bundle_of_ours_is_not_taken_for_the_systems_roots(credentials: Credentials) -> None:
    environ = {"SSL_CERT_FILE": str(credentials.bundle_file)}
    assert find_system_roots(environ) == find_system_roots({})
    before = credentials.bundle_file.read_bytes()
    load_or_create(credentials.state_dir, NOW_S, environ)
    assert credentials.bundle_file.read_bytes() == before
