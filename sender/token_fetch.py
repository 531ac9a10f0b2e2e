"""Carries a call to an endpoint and the answer back, mostly a credential's request: HTTP/1.1, blocking, for a thread."""

import http.client
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from sender.client_tls import trusting
from sender.credential import CredentialAnswer, CredentialRequest
from sender.network_errors import in_words

TIMEOUT_S = 10.0
ANSWER_BYTES_MAX = 65_536
FORM = {"content-type": "application/x-www-form-urlencoded"}


def fetcher(ca_file: Path | None, *, timeout_s: float = TIMEOUT_S) -> Callable[[CredentialRequest], CredentialAnswer]:
    """What asks. `ca_file`: trusted instead of the system's roots. Raises SenderConfigurationError when it cannot be used."""
    tls = trusting(ca_file)

    def fetch(request: CredentialRequest) -> CredentialAnswer:
        return post(request.url, request.body, FORM, tls, timeout_s)

    return fetch


def post(
    url: str, body: bytes, fields: Mapping[str, str], tls: ssl.SSLContext, timeout_s: float = TIMEOUT_S
) -> CredentialAnswer:
    """One call over a connection of its own. `fields`: of the request's head."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    connection = (
        http.client.HTTPSConnection(host, parts.port, timeout=timeout_s, context=tls)
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, parts.port, timeout=timeout_s)
    )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", path, body, {**fields, "connection": "close"})
        answer = connection.getresponse()
        said = answer.read(ANSWER_BYTES_MAX + 1)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return CredentialAnswer(0, error=in_words(error) or f"no answer within {timeout_s:g} s")
    finally:
        connection.close()
    if len(said) > ANSWER_BYTES_MAX:
        return CredentialAnswer(0, error=f"its answer has more than {ANSWER_BYTES_MAX:,} bytes")
    return CredentialAnswer(answer.status, said)
