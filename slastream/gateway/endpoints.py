"""Who may deliver what: the file of endpoints as values, with the secrets of their files.

    endpoints:
      - tenant: acme-msp
        source: jira
        secrets: [secrets/jira, secrets/jira.next]   # files; several while one replaces the other
      - {tenant: acme-msp, source: connectwise, auth: key_url, company: fjordline}
      - {tenant: acme-msp, source: halopsa, auth: token, secrets: [secrets/halo], rate: 50}

A secret is in a file of its own, never in this one. There is no endpoint that checks nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from slastream.core.errors import Misconfigured
from slastream.gateway.bucket import Bucket
from slastream.sources import SOURCES
from slastream.sources.signatures import SCHEMES

AUTHS = ("signature", "token", "key_url")
DEFAULT_RATE = 500.0
"""Deliveries a second that one endpoint may send in the long run, unless its file says otherwise."""
DEFAULT_KEY_HOSTS = ("myconnectwise.net",)
SHORTEST = 8
"""Characters of the shortest secret that is taken: less can be guessed."""

_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
_MEMBERS = {"tenant", "source", "auth", "secrets", "company", "key_hosts", "rate", "burst"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path under which one tenant's ticket system delivers."""

    tenant: str
    source: str
    auth: str
    secrets: tuple[bytes, ...] = field(default=(), repr=False)
    company: str = ""
    """ConnectWise alone: whose callbacks are taken. Its key host signs those of every company."""
    key_hosts: tuple[str, ...] = ()
    bucket: Bucket = field(default_factory=lambda: Bucket(DEFAULT_RATE, DEFAULT_RATE), repr=False)

    @property
    def path(self) -> str:
        return f"/v1/{self.tenant}/{self.source}"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """All endpoints by their path, and what the files were like when they were read."""

    by_path: Mapping[str, Endpoint]
    files: Mapping[Path, object] = field(default_factory=dict, repr=False)

    def at(self, target: str) -> Endpoint | None:
        """Return the endpoint of a request target, byte for byte: no decoding, no tidying up."""
        return self.by_path.get(target.partition("?")[0])

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(self.by_path.values())

    def changed(self) -> bool:
        """Tell whether any file is no longer what was read."""
        return any(state_of(path) != state for path, state in self.files.items())

    def keeping(self, before: Endpoints) -> Endpoints:
        """Return these endpoints, with the buckets of those that were there with the same rate."""
        for path, endpoint in self.by_path.items():
            old = before.by_path.get(path)
            if old and (old.bucket.rate, old.bucket.burst) == (
                endpoint.bucket.rate,
                endpoint.bucket.burst,
            ):
                object.__setattr__(endpoint, "bucket", old.bucket)
        return self


def load(path: Path) -> Endpoints:
    """Read the file of endpoints and the secrets it names. Raises `Misconfigured`."""
    files: dict[Path, object] = {path: state_of(path)}
    try:
        told = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise Misconfigured(f"cannot be read: {error.strerror}", where=str(path)) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        # The parser's message quotes the file; somebody may have put a secret there.
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise Misconfigured("is not YAML", where=where) from None
    listed = told.get("endpoints") if isinstance(told, dict) else None
    if not isinstance(listed, list) or not listed:
        raise Misconfigured(
            "has no list of endpoints", where=str(path), hint="see docs/gateway.md for one"
        )
    found: dict[str, Endpoint] = {}
    for at, item in enumerate(listed):
        endpoint = _Reading(path, f"endpoints.{at}", files).endpoint(item)
        if endpoint.path in found:
            raise Misconfigured(f"{endpoint.path} is there twice", where=str(path))
        found[endpoint.path] = endpoint
    return Endpoints(found, files)


@dataclass
class _Reading:
    """One item of the file, and where in it we are."""

    file: Path
    at: str
    files: dict[Path, object]

    def wrong(self, key: str, message: str, hint: str | None = None) -> Misconfigured:
        return Misconfigured(message, where=str(self.file), key=f"{self.at}.{key}", hint=hint)

    def endpoint(self, item: Any) -> Endpoint:
        if not isinstance(item, dict):
            raise Misconfigured("must be a mapping", where=str(self.file), key=self.at)
        for key in item:
            if key not in _MEMBERS:
                raise self.wrong(
                    f"{key}"[:40], "is not known", f"known are {', '.join(sorted(_MEMBERS))}"
                )
        tenant, source = item.get("tenant"), item.get("source")
        if not isinstance(tenant, str) or not _TENANT.fullmatch(tenant):
            raise self.wrong("tenant", "must be letters, digits, dots, dashes, at most 63")
        if not isinstance(source, str) or source not in SOURCES:
            raise self.wrong("source", "is no source", f"one of {', '.join(sorted(SOURCES))}")
        auth = self._auth(item, source)
        return Endpoint(
            tenant=tenant,
            source=source,
            auth=auth,
            secrets=self._secrets(item.get("secrets"), auth),
            company=self._company(item.get("company"), auth),
            key_hosts=self._hosts(item.get("key_hosts"), auth),
            bucket=self._bucket(item),
        )

    def _auth(self, item: dict[str, Any], source: str) -> str:
        auth = item.get("auth")
        if auth is None:
            if source == "connectwise" and "secrets" not in item:
                return "key_url"
            return "signature" if source in SCHEMES else "token"
        if auth not in AUTHS:
            raise self.wrong("auth", "is unknown", f"one of {', '.join(AUTHS)}")
        if auth == "signature" and source not in SCHEMES:
            raise self.wrong("auth", f"{source} signs nothing", "use token")
        if auth == "key_url" and source != "connectwise":
            raise self.wrong("auth", "only ConnectWise serves its key under a URL")
        return str(auth)

    def _secrets(self, told: Any, auth: str) -> tuple[bytes, ...]:
        if auth == "key_url":
            if told is not None:
                raise self.wrong("secrets", "key_url needs none", "or set auth to signature")
            return ()
        if not isinstance(told, list) or not told or not all(isinstance(x, str) for x in told):
            raise self.wrong("secrets", "must be a list of files, at least one")
        return tuple(self._secret(name, at) for at, name in enumerate(told))

    def _secret(self, name: str, at: int) -> bytes:
        path = self.file.parent / Path(name).expanduser()
        self.files[path] = state_of(path)
        try:
            secret = path.read_bytes().rstrip(b"\r\n")
        except OSError as error:
            # Not the name: whoever writes the secret itself here must not find it in a log.
            raise self.wrong(
                f"secrets.{at}", f"the file cannot be read: {error.strerror}"
            ) from None
        if len(secret) < SHORTEST:
            raise self.wrong(f"secrets.{at}", f"holds fewer than {SHORTEST} characters")
        return secret

    def _company(self, told: Any, auth: str) -> str:
        if auth != "key_url":
            if told is not None:
                raise self.wrong("company", "goes with auth: key_url alone")
            return ""
        if not isinstance(told, str) or not told.strip():
            raise self.wrong(
                "company",
                "is missing",
                "ConnectWise's key host vouches for every one of its customers; say which is yours",
            )
        return told.strip()

    def _hosts(self, told: Any, auth: str) -> tuple[str, ...]:
        if auth != "key_url":
            if told is not None:
                raise self.wrong("key_hosts", "goes with auth: key_url alone")
            return ()
        hosts = DEFAULT_KEY_HOSTS if told is None else told
        if not isinstance(hosts, list | tuple) or not hosts:
            raise self.wrong("key_hosts", "must be a list of domains")
        for host in hosts:
            if not isinstance(host, str) or not _DOMAIN.fullmatch(host):
                raise self.wrong("key_hosts", "each must be a domain such as myconnectwise.net")
        return tuple(hosts)

    def _bucket(self, item: dict[str, Any]) -> Bucket:
        rate = item.get("rate", DEFAULT_RATE)
        burst = item.get("burst", max(rate, 1) if _positive(rate) else rate)
        for key, value in (("rate", rate), ("burst", burst)):
            if not _positive(value):
                raise self.wrong(key, "must be a number above 0")
        if burst < 1:
            raise self.wrong("burst", "must be 1 or more")
        return Bucket(float(rate), float(burst))


def _positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def state_of(path: Path) -> object:
    """What changes when a file is replaced or written; None when it is not there."""
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return (stat.st_mtime_ns, stat.st_size, stat.st_ino, stat.st_dev)
