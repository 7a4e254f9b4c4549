"""Settings of who we are: strict, secret, and never other than they seem."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from slastream.core.errors import Misconfigured
from slastream.kafka.security import KafkaSecurity, client_options


def _read(**told: str) -> KafkaSecurity:
    return KafkaSecurity.from_environment({f"SLASTREAM_KAFKA_{k}": v for k, v in told.items()})


LOGIN = {"PROTOCOL": "SASL_SSL", "MECHANISM": "PLAIN", "USERNAME": "me", "PASSWORD": "pa55"}


def test_default_is_plain() -> None:
    """Without a setting, a client speaks in the clear, as to a broker on loopback."""
    expected = {"bootstrap_servers": "localhost:9092", "security_protocol": "PLAINTEXT"}

    assert expected == client_options("localhost:9092", {})


def test_secret_is_never_shown() -> None:
    """No form of the value that a log or a traceback prints holds a secret."""
    security = _read(**LOGIN, KEY_PASSWORD="key55")

    assert "pa55" not in f"{security!r} {security}"
    assert "key55" not in f"{security!r} {security}"


def test_password_of_a_file(tmp_path: Path) -> None:
    """The line end that editors and kubectl add is no part of a password; a blank is."""
    file = tmp_path / "password"
    file.write_text(" pa55 \n")
    told = {name: value for name, value in LOGIN.items() if name != "PASSWORD"}

    assert _read(**told, PASSWORD_FILE=str(file)).password == " pa55 "


async def test_token_is_read_for_each_connection(tmp_path: Path) -> None:
    """Who renews a token replaces the file, and the next connection has it."""
    file = tmp_path / "token"
    file.write_text("first\n")
    security = _read(PROTOCOL="SASL_PLAINTEXT", MECHANISM="OAUTHBEARER", TOKEN_FILE=str(file))
    provider = security.token_provider()
    assert provider is not None

    assert await provider.token() == "first"

    file.write_text("second")

    assert await provider.token() == "second"


@pytest.mark.parametrize(
    ("told", "where"),
    [
        ({"PROTOCOL": "TLS"}, "PROTOCOL"),
        ({"PROTOCOL": "SASL_SSL"}, "MECHANISM"),
        ({"PROTOCOL": "SASL_SSL", "MECHANISM": "GSSAPI"}, "MECHANISM"),
        ({"PROTOCOL": "SASL_SSL", "MECHANISM": "PLAIN"}, "USERNAME"),
        ({**LOGIN, "PASSWORD": ""}, "PASSWORD_FILE"),
        ({**LOGIN, "PROTOCOL": "SSL"}, "PROTOCOL"),
        ({**LOGIN, "PROTOCOL": "PLAINTEXT"}, "PROTOCOL"),
        ({**LOGIN, "PASSWORD_FILE": __file__}, "PASSWORD"),
        ({"PROTOCOL": "SASL_SSL", "MECHANISM": "OAUTHBEARER"}, "TOKEN_FILE"),
        ({"CA_FILE": __file__}, "PROTOCOL"),
        ({"PROTOCOL": "SSL", "CA_FILE": "/nowhere"}, "CA_FILE"),
        ({"PROTOCOL": "SSL", "CERT_FILE": __file__}, "KEY_FILE"),
        ({"PROTOCOL": "SSL", "KEY_FILE": __file__}, "CERT_FILE"),
    ],
)
def test_mistake_names_its_variable(told: dict[str, str], where: str) -> None:
    """What cannot work, or would be less safe than it looks, is refused by the variable's name."""
    with pytest.raises(Misconfigured) as caught:
        _read(**told)

    assert caught.value.where == f"SLASTREAM_KAFKA_{where}"
    assert "pa55" not in str(caught.value)


@pytest.mark.parametrize("name", ["CA_FILE", "CERT_FILE"])
def test_file_that_is_no_certificate(tmp_path: Path, name: str) -> None:
    """A file of another kind is named, not a line of OpenSSL."""
    file = tmp_path / "notes.pem"
    file.write_text("not a certificate")
    told = {name: str(file), **({"KEY_FILE": str(file)} if name == "CERT_FILE" else {})}
    with pytest.raises(Misconfigured, match=str(file)) as caught:
        _read(PROTOCOL="SSL", **told).client()

    assert caught.value.where == f"SLASTREAM_KAFKA_{name}"


def test_logins_are_kept_out_of_the_debug_log(caplog: pytest.LogCaptureFixture) -> None:
    """The client library writes logins down at DEBUG; ours does not let it."""
    _read(**LOGIN).client()
    logger = logging.getLogger("aiokafka.conn")
    with caplog.at_level(logging.DEBUG, logger="aiokafka.conn"):
        logger.debug("Request to %s: %s", "host", "SaslAuthenticateRequest_v1(b'me pa55')")
        logger.debug("Request to %s: %s", "host", "MetadataRequest_v5()")

    assert "pa55" not in caplog.text
    assert "MetadataRequest" in caplog.text
