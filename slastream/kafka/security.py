"""Who we are to Kafka: TLS and SASL, as one frozen value that every client is made from.

Read from the environment (`from_environment`). A secret is never a flag, and never printed: it
comes from a file (`..._PASSWORD_FILE`), or from the environment where files cannot be had.

    SLASTREAM_KAFKA_PROTOCOL       PLAINTEXT (default), SSL, SASL_PLAINTEXT or SASL_SSL
    SLASTREAM_KAFKA_MECHANISM      PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER
    SLASTREAM_KAFKA_USERNAME       of PLAIN and SCRAM
    SLASTREAM_KAFKA_PASSWORD_FILE  or SLASTREAM_KAFKA_PASSWORD
    SLASTREAM_KAFKA_TOKEN_FILE     of OAUTHBEARER: read again for each connection
    SLASTREAM_KAFKA_CA_FILE        who signs the brokers' certificates; else the system's list
    SLASTREAM_KAFKA_CERT_FILE      our certificate, and
    SLASTREAM_KAFKA_KEY_FILE       its key, where brokers ask for one
    SLASTREAM_KAFKA_KEY_PASSWORD_FILE  or SLASTREAM_KAFKA_KEY_PASSWORD

`client()` is what aiokafka's clients take. Faust takes the same value apart: with a mechanism of
PLAIN or SCRAM, `SASLCredentials(username=, password=, mechanism=, ssl_context=ssl_context())`;
OAUTHBEARER, `OAuthCredentials(oauth_cb=token_provider(), ssl_context=)`; SSL alone,
`SSLCredentials(context=ssl_context())`. Without an ssl_context Faust speaks SASL in the clear.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from aiokafka.abc import AbstractTokenProvider

from slastream.core.errors import Misconfigured

PREFIX = "SLASTREAM_KAFKA_"
PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
PASSWORD_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
MECHANISMS = (*PASSWORD_MECHANISMS, "OAUTHBEARER")


@dataclass(frozen=True, slots=True)
class KafkaSecurity:
    """How a client proves who it is, and how it checks who the broker is."""

    protocol: str = "PLAINTEXT"
    mechanism: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    token_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    key_password: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Reads `SLASTREAM_KAFKA_*`. Raises Misconfigured, naming the variable."""
        environ = os.environ if environ is None else environ
        security = cls(
            protocol=environ.get(f"{PREFIX}PROTOCOL", "PLAINTEXT").upper(),
            mechanism=environ.get(f"{PREFIX}MECHANISM", "").upper(),
            username=environ.get(f"{PREFIX}USERNAME", ""),
            password=_secret(environ, "PASSWORD"),
            token_file=_path(environ, "TOKEN_FILE"),
            ca_file=_path(environ, "CA_FILE"),
            cert_file=_path(environ, "CERT_FILE"),
            key_file=_path(environ, "KEY_FILE"),
            key_password=_secret(environ, "KEY_PASSWORD"),
        )
        security.check()
        return security

    @property
    def tls(self) -> bool:
        return self.protocol in ("SSL", "SASL_SSL")

    @property
    def sasl(self) -> bool:
        return self.protocol in ("SASL_PLAINTEXT", "SASL_SSL")

    def check(self) -> None:
        """Raises Misconfigured for a combination that cannot work, or that would not be what it seems."""
        if self.protocol not in PROTOCOLS:
            raise _wrong("PROTOCOL", f"{self.protocol!r} is none of {', '.join(PROTOCOLS)}")
        if self.sasl:
            self._check_sasl()
        elif self.mechanism or self.username or self.password or self.token_file:
            # Never talk in the clear, or as nobody, to someone who thinks he has a password set.
            raise _wrong(
                "PROTOCOL", f"{self.protocol} uses no SASL, but a mechanism or user is given",
                hint="set it to SASL_SSL",
            )  # fmt: skip
        if not self.tls and (self.ca_file or self.cert_file or self.key_file):
            raise _wrong(
                "PROTOCOL", f"{self.protocol} uses no TLS, but certificate files are given",
                hint="set it to SSL or SASL_SSL",
            )  # fmt: skip
        if bool(self.cert_file) != bool(self.key_file):
            name = "KEY_FILE" if self.cert_file else "CERT_FILE"
            raise _wrong(name, "a certificate and its key go together, and this one is missing")

    def _check_sasl(self) -> None:
        if self.mechanism not in MECHANISMS:
            raise _wrong("MECHANISM", f"{self.mechanism!r} is none of {', '.join(MECHANISMS)}")
        if self.mechanism == "OAUTHBEARER":
            if self.token_file is None:
                raise _wrong("TOKEN_FILE", "OAUTHBEARER needs the file that holds the token")
            _read(self.token_file, f"{PREFIX}TOKEN_FILE")
            return
        if not self.username:
            raise _wrong("USERNAME", f"{self.mechanism} needs a user name")
        if not self.password:
            raise _wrong("PASSWORD_FILE", f"{self.mechanism} needs a password")

    def client(self) -> dict[str, Any]:
        """The keyword arguments that aiokafka's consumer, producer and admin client take."""
        options: dict[str, Any] = {"security_protocol": self.protocol}
        if self.tls:
            options["ssl_context"] = self.ssl_context()
        if self.sasl:
            logging.getLogger("aiokafka.conn").addFilter(_without_logins)
            options["sasl_mechanism"] = self.mechanism
            if self.mechanism == "OAUTHBEARER":
                options["sasl_oauth_token_provider"] = self.token_provider()
            else:
                options["sasl_plain_username"] = self.username
                options["sasl_plain_password"] = self.password
        return options

    def ssl_context(self) -> ssl.SSLContext | None:
        """The TLS context, None without TLS. Host names are always checked."""
        if not self.tls:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise _wrong("CA_FILE", f"{self.ca_file}: not readable as certificates: {_why(error)}",
                         ) from error  # fmt: skip
        if self.cert_file and self.key_file:
            password = self.key_password or _no_password
            try:
                context.load_cert_chain(self.cert_file, self.key_file, password)
            except (OSError, ssl.SSLError, ValueError) as error:
                raise _wrong(
                    "CERT_FILE", f"{self.cert_file} and {self.key_file}: not a certificate and "
                    f"its key: {_why(error)}",
                ) from error  # fmt: skip
        return context

    def token_provider(self) -> AbstractTokenProvider | None:
        """What gives OAUTHBEARER its token, None for the other mechanisms."""
        return TokenFile(self.token_file) if self.token_file else None


class TokenFile(AbstractTokenProvider):  # type: ignore[misc]  # its library has no types
    """The token of a file, read for each connection: whoever renews it replaces the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def token(self) -> str:
        return await asyncio.to_thread(_read, self._path, f"{PREFIX}TOKEN_FILE")

    def __repr__(self) -> str:
        return f"TokenFile({str(self._path)!r})"


def client_options(broker: str, environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What any aiokafka client is made with: where the broker is, and who we are to it."""
    security = KafkaSecurity.from_environment(environ)
    return {"bootstrap_servers": broker, **security.client()}


def _without_logins(record: logging.LogRecord) -> bool:
    """Drops the lines in which the client library, at DEBUG, writes passwords and tokens down."""
    return "SaslAuthenticate" not in record.getMessage()


def _no_password() -> str:
    # Without this, OpenSSL asks the terminal, and a worker would wait there for ever.
    raise ValueError("the key is encrypted, and no password is given")


def _secret(environ: Mapping[str, str], name: str) -> str:
    file = environ.get(f"{PREFIX}{name}_FILE")
    plain = environ.get(f"{PREFIX}{name}")
    if file and plain:
        raise _wrong(name, f"given here and in {PREFIX}{name}_FILE: keep one")
    return _read(Path(file), f"{PREFIX}{name}_FILE") if file else plain or ""


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    text = environ.get(f"{PREFIX}{name}")
    if not text:
        return None
    path = Path(text).expanduser()
    if not path.is_file():
        raise _wrong(name, f"{path} is not there")
    return path


def _read(path: Path, where: str) -> str:
    """A secret as its file holds it, without the line end that editors add."""
    try:
        text = path.read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path}: cannot be read: {_why(error)}", where=where) from error
    if not text:
        raise Misconfigured(f"{path} is empty", where=where)
    return text


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _wrong(name: str, message: str, hint: str | None = None) -> Misconfigured:
    return Misconfigured(message, where=f"{PREFIX}{name}", hint=hint)
