"""Whose data is meant: names as they are told apart, and what is left of others."""

from __future__ import annotations

import pytest

from slastream.erasure.scope import Scope

MUELLER = Scope(tenant="acme", client="Praxis Müller")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (b'{"client": "Praxis M\xc3\xbcller"}', True),
        (b'{"client": "Praxis M\\u00fcller"}', True),
        (b"praxis   m\xc3\xbcller, ground floor", True),
        (b'{"client": "Praxis M\xc3\xbcllerin"}', False),
        (b'{"client": "Zahnpraxis M\xc3\xbcller"}', False),
        (b"Praxis Meier", False),
        (b"\xff\xfe", False),
    ],
)
def test_a_name_in_somebody_elses_words(text: bytes, named: bool) -> None:
    """Whole, in any case and spacing, plain or escaped as JSON; not within a longer name."""
    assert named is MUELLER.in_text(text)


def test_bytes_that_every_naming_record_holds() -> None:
    """The longest run of plain letters in a name, whatever way the rest of it is written."""
    called = MUELLER.called(["PM-4711", "1042"])

    assert [b"praxis"] == MUELLER.needles()
    assert [b"praxis", b"4711"] == called.needles()
    assert [b""] == Scope(client="Мир").needles()
    assert called.in_text(b"opened by PM-4711")
    assert not called.in_text(b"ticket 1042")


def test_what_a_source_calls_a_client_is_no_other_sources_client() -> None:
    """It is looked for in texts, and never decides whose ticket is erased."""
    assert not MUELLER.called(["PM-4711"]).is_client("PM-4711")


@pytest.mark.parametrize(
    ("scope", "keys"),
    [
        (Scope(frozenset({"acme/cw/1"})), ["acme/cw/1"]),
        (Scope(tenant="acme"), ["acme/cw/1", "acme/cw/11"]),
        (Scope(tenant="acme", client="x"), []),
    ],
)
def test_what_a_key_alone_says(scope: Scope, keys: list[str]) -> None:
    """A ticket's own key and a tenant's are enough; a client is told by what stands in the record."""
    every = ["acme/cw/1", "acme/cw/11", "acme-2/cw/1"]

    assert keys == [key for key in every if scope.has_key(key)]


@pytest.mark.parametrize(
    ("note", "meant"),
    [
        ("!unmapped/acme/cw/Praxis Müller/Odd", True),
        ("!unmapped/acme/cw/Desk/Odd", False),
        ("!unmapped/globex/cw/Praxis Müller/Odd", False),
    ],
)
def test_a_note_is_the_clients_when_it_names_him(note: str, meant: bool) -> None:
    """A board may be called after a client, of the tenant that was meant."""
    assert meant is MUELLER.of_note(note)
