"""Errors of sockets and TLS: told in words, and those recognised that no retry can mend."""

import errno
import ssl

import pytest

from sender.network_errors import CERTIFICATE_ALERTS, certificate_alert, in_words


def tls_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}] {reason.lower()}")
    error.reason = reason
    return error


def test_a_refused_connection_is_called_that() -> None:
    error = ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 1)")
    assert in_words(error) == "Connection refused"


def test_a_timeout_leaves_the_word_to_the_caller() -> None:
    assert in_words(TimeoutError()) == ""


def test_an_error_without_a_message_is_told_by_its_name() -> None:
    assert in_words(EOFError()) == "EOFError"


@pytest.mark.parametrize("alert", CERTIFICATE_ALERTS)
@pytest.mark.parametrize("version", ["TLSV1", "SSLV3", "TLSV13"])
def test_alerts_about_the_client_certificate_are_recognised(alert: str, version: str) -> None:
    error = tls_error(f"{version}_{alert}")
    told = certificate_alert(error)
    assert told is not None and told.upper().replace(" ", "_") in alert
    assert in_words(error) == str(error)


@pytest.mark.parametrize(
    "error",
    [None, tls_error("TLSV1_ALERT_INTERNAL_ERROR"), ConnectionResetError(errno.ECONNRESET, "x"), ssl.SSLError(1, "x")],
)
def test_any_other_error_may_pass_with_time(error: BaseException | None) -> None:
    assert certificate_alert(error) is None
