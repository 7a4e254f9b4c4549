"""Who may look, and at which tenants: nobody but this machine, users with passwords, or a proxy's word.

Passwords are kept as scrypt hashes in a file. This file knows HTTP's headers and nothing of tickets.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from slastream.core.errors import Misconfigured

N, R, P = 1 << 14, 8, 1
MEMORY = 64 << 20
REMEMBERED = 300.0
"""Seconds for which a password that was right is not hashed again."""
ANY = "*"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Someone who may look. `tenants` is None for all of them."""

    name: str
    tenants: frozenset[str] | None = None

    def sees(self, tenant: str) -> bool:
        return self.tenants is None or tenant in self.tenants


EVERYBODY = Viewer("")


class Refused(Exception):
    """Not let in: 401 when a password may help, 403 when not."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def hash_password(password: str) -> str:
    """Return `scrypt$<n>$<r>$<p>$<salt>$<hash>`, as a users file holds it."""
    salt = secrets.token_bytes(16)
    digest = _scrypt(password, salt, N, R, P)
    parts = (base64.b64encode(part).decode() for part in (salt, digest))
    return f"scrypt${N}${R}${P}$" + "$".join(parts)


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(
        password.encode("utf-8", "surrogatepass"), salt=salt, n=n, r=r, p=p, maxmem=MEMORY, dklen=32
    )


def _matches(password: str, stored: str) -> bool:
    _, n, r, p, salt, digest = stored.split("$")
    found = _scrypt(password, base64.b64decode(salt), int(n), int(r), int(p))
    return hmac.compare_digest(found, base64.b64decode(digest))


@dataclass(frozen=True, slots=True)
class User:
    """One entry of the users file."""

    viewer: Viewer
    password: str = field(default="", repr=False)


def load_users(path: Path) -> dict[str, User]:
    """Read a users file: `users: [{name: ..., password: scrypt$..., tenants: [...] or "*"}]`.

    Raises `Misconfigured`, naming the entry.
    """
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Misconfigured(f"cannot be read: {error}", where=str(path)) from None
    entries = content.get("users") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries:
        raise Misconfigured("has no list `users`", where=str(path))
    users: dict[str, User] = {}
    for number, entry in enumerate(entries, 1):
        user = _user(entry, f"{path}, user {number}")
        if user.viewer.name in users:
            raise Misconfigured("this name is given twice", where=f"{path}, user {number}")
        users[user.viewer.name] = user
    return users


def _user(entry: object, where: str) -> User:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or not entry["name"]:
        raise Misconfigured("a user needs a name", where=where)
    unknown = set(entry) - {"name", "password", "tenants"}
    if unknown:
        raise Misconfigured(f"unknown: {', '.join(sorted(map(str, unknown)))}", where=where)
    tenants = entry.get("tenants")
    if tenants == ANY:
        allowed = None
    elif isinstance(tenants, list) and tenants and all(isinstance(each, str) for each in tenants):
        allowed = frozenset(tenants)
    else:
        raise Misconfigured(
            "which tenants may be seen is not said", where=where, key="tenants",
            hint='a list of names, or "*" for all',
        )  # fmt: skip
    password = entry.get("password", "")
    if password:
        _check_hash(password, where)
    return User(Viewer(entry["name"], allowed), password)


def _check_hash(password: object, where: str) -> None:
    try:
        _, n, r, p, salt, digest = str(password).split("$")
        sound = str(password).startswith("scrypt$") and 2**14 <= int(n) <= 2**15
        sound = sound and int(r) == R and 1 <= int(p) <= 4
        sound = sound and len(base64.b64decode(salt)) >= 16 and len(base64.b64decode(digest)) == 32
    except ValueError:
        sound = False
    if not sound:
        raise Misconfigured(
            "the password is not hashed as this page needs it", where=where, key="password",
            hint="slastream board --hash-password prints what belongs there",
        )  # fmt: skip


@dataclass(frozen=True)
class Proxy:
    """A proxy whose word is taken: its addresses, and the header in which it names the user."""

    header: str
    trusted: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]

    @classmethod
    def of(cls, header: str, trusted: tuple[str, ...]) -> Proxy:
        """Raises `Misconfigured` for an address that is none."""
        try:
            networks = tuple(ipaddress.ip_network(each, strict=False) for each in trusted)
        except ValueError as error:
            raise Misconfigured(str(error), where="--trusted-proxy") from None
        if not networks:
            raise Misconfigured(
                "a header alone proves nothing: anyone can send it", where="--proxy-header",
                hint="name the proxy's address with --trusted-proxy",
            )  # fmt: skip
        return cls(header, networks)

    def is_trusted(self, remote: str | None) -> bool:
        try:
            address = ipaddress.ip_address(remote or "")
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self.trusted)


class Door:
    """Lets viewers in. Without users and without a proxy it stands open: only for loopback."""

    def __init__(self, users: Mapping[str, User] | None = None, proxy: Proxy | None = None) -> None:
        self._users, self._proxy = users, proxy
        self._salt = secrets.token_bytes(32)
        self._known: dict[bytes, float] = {}
        self._at_work = asyncio.Semaphore(1)
        # Someone unknown costs as much as a wrong password, so that names cannot be told apart.
        self._nobody = hash_password(secrets.token_hex(8)) if users else ""

    @property
    def open(self) -> bool:
        return self._users is None and self._proxy is None

    async def enter(self, remote: str | None, headers: Mapping[str, str]) -> Viewer:
        """Return who asks. Raises `Refused`."""
        if self.open:
            return EVERYBODY
        if self._proxy is not None:
            return self._by_proxy(self._proxy, remote, headers)
        return await self._by_password(headers.get("Authorization", ""))

    def _by_proxy(self, proxy: Proxy, remote: str | None, headers: Mapping[str, str]) -> Viewer:
        if not proxy.is_trusted(remote):
            raise Refused(403, "not by way of the proxy")
        name = headers.get(proxy.header, "")
        if not name:
            raise Refused(403, f"the proxy names no user in {proxy.header}")
        users = self._users or {}
        user = users.get(name) or users.get(ANY)
        if user is None:
            raise Refused(403, "this user may not look")
        return Viewer(name, user.viewer.tenants)

    async def _by_password(self, header: str) -> Viewer:
        name, password = _basic(header)
        user = (self._users or {}).get(name)
        stored = user.password if user is not None and user.password else self._nobody
        proof = hmac.digest(self._salt, f"{stored}\0{header}".encode("utf-8", "replace"), "sha256")
        now = time.monotonic()
        if self._known.get(proof, 0.0) < now:
            async with self._at_work:  # one at a time: guessing must not take the machine
                right = await asyncio.to_thread(_matches, password, stored)
            if not right or user is None or not user.password:
                raise Refused(401, "wrong name or password")
            if len(self._known) > 1_000:
                self._known.clear()
            self._known[proof] = now + REMEMBERED
        if user is None:
            raise Refused(401, "wrong name or password")
        return user.viewer


def _basic(header: str) -> tuple[str, str]:
    kind, _, encoded = header.partition(" ")
    try:
        decoded = base64.b64decode(encoded, validate=True).decode("utf-8")
    except (ValueError, UnicodeDecodeError):
        decoded = ""
    name, colon, password = decoded.partition(":")
    if kind.lower() != "basic" or not colon or len(password) > 1_000:
        raise Refused(401, "a name and a password are needed")
    return name, password


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a listener on `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
