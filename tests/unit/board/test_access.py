"""Who may look: hashes, users, proxies, and an open door only where nobody else can knock."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from slastream.board.access import Door, Proxy, Refused, hash_password, load_users
from slastream.board.service import Options
from slastream.core.errors import Misconfigured

PASSWORD = "correct horse battery"
HASH = hash_password(PASSWORD)


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


@pytest.fixture
def users(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "users.yaml"
        path.write_text(text)
        return path

    return write


def file(users: Callable[[str], Path]) -> Path:
    return users(
        f"users:\n- {{name: anna, password: '{HASH}', tenants: [acme]}}\n"
        f"- {{name: root, password: '{HASH}', tenants: '*'}}\n"
        "- {name: proxied, tenants: [other]}\n"
    )


async def test_a_right_password_lets_in_and_says_which_tenants(
    users: Callable[[str], Path],
) -> None:
    """A user sees the tenants of the file, `*` all of them."""
    door = Door(load_users(file(users)))
    anna = await door.enter("203.0.113.9", basic("anna", PASSWORD))
    again = await door.enter("203.0.113.9", basic("anna", PASSWORD))
    root = await door.enter("203.0.113.9", basic("root", PASSWORD))

    assert (frozenset({"acme"}), None) == (anna.tenants, root.tenants)
    assert anna == again
    assert (True, False, True) == (anna.sees("acme"), anna.sees("other"), root.sees("other"))


@pytest.mark.parametrize(
    "headers",
    [
        {}, basic("anna", "wrong"), basic("nobody", PASSWORD), basic("anna", ""), basic("", ""),
        basic("proxied", ""), {"Authorization": "Bearer x"}, {"Authorization": "Basic ###"},
        {"Authorization": "Basic " + base64.b64encode(b"\xff\xfe:x").decode()},
        basic("anna", "x" * 5000),
    ],
)  # fmt: skip
async def test_anything_else_is_asked_for_a_password(
    users: Callable[[str], Path], headers: dict[str, str]
) -> None:
    """Wrong, unknown, empty or garbled: the same answer."""
    door = Door(load_users(file(users)))
    await door.enter("203.0.113.9", basic("anna", PASSWORD))
    with pytest.raises(Refused) as refused:
        await door.enter("203.0.113.9", headers)

    assert 401 == refused.value.status


async def test_a_proxy_is_believed_by_its_address_only(users: Callable[[str], Path]) -> None:
    """A header that anyone can send lets in nobody who does not come from the proxy."""
    door = Door(load_users(file(users)), Proxy.of("X-User", ("10.0.0.0/8",)))
    viewer = await door.enter("10.1.2.3", {"X-User": "proxied"})
    mapped = await door.enter("::ffff:10.1.2.3", {"X-User": "anna"})

    assert ("proxied", frozenset({"other"})) == (viewer.name, viewer.tenants)
    assert "anna" == mapped.name
    for remote, headers in (
        ("203.0.113.9", {"X-User": "root"}), (None, {"X-User": "root"}), ("10.1.2.3", {}),
        ("10.1.2.3", {"X-User": "stranger"}), ("203.0.113.9", basic("anna", PASSWORD)),
    ):  # fmt: skip
        with pytest.raises(Refused) as refused:
            await door.enter(remote, headers)

        assert 403 == refused.value.status


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"host": "0.0.0.0"}, "reached from other machines"),
        ({"host": "::"}, "reached from other machines"),
        ({"host": "board.example"}, "reached from other machines"),
        ({"host": "0.0.0.0", "proxy_header": "X-User"}, "proves nothing"),
        (
            {"host": "0.0.0.0", "proxy_header": "X-User", "trusted_proxies": ("10.0.0.1",)},
            "which tenants",
        ),
        ({"proxy_header": "X-User", "trusted_proxies": ("ten",)}, "ten"),
    ],
)
def test_the_door_never_stands_open_to_the_world(options: dict[str, str], told: str) -> None:
    """Whoever can be reached from outside must ask who is there."""
    with pytest.raises(Misconfigured, match=told):
        Options(**options).door()  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_on_loopback_it_is_open(host: str) -> None:
    """A first look needs no password."""
    assert Options(host=host).door().open


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no list"), ("users: []", "no list"), ("users: [{tenants: [a]}]", "needs a name"),
        ("users: [{name: a}]", "which tenants"), ("users: [{name: a, tenants: []}]", "which tenants"),
        ("users: [{name: a, tenants: acme}]", "which tenants"),
        ("users: [{name: a, tenants: [x], password: secret}]", "not hashed"),
        ("users: [{name: a, tenants: [x], password: 'scrypt$1024$8$1$AA==$AA=='}]", "not hashed"),
        ("users: [{name: a, tenants: [x], pasword: x}]", "unknown: pasword"),
        ("users: [{name: a, tenants: [x]}, {name: a, tenants: [x]}]", "twice"),
        ("users: [", "cannot be read"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_users_file_is_named(
    users: Callable[[str], Path], text: str, told: str
) -> None:
    """No user is let in by a typing error."""
    with pytest.raises(Misconfigured, match=told):
        load_users(users(text))


def test_equal_passwords_have_different_hashes() -> None:
    """The salt is each hash's own."""
    assert HASH != hash_password(PASSWORD)
