"""Alerts as consumers rely on them: ids, folding keys, what they carry (D32, D50)."""

from __future__ import annotations

from slastream.core.alert import dedup_key, fact_id
from slastream.core.books import AT_RISK, BREACH
from slastream.wire import ce_headers
from tests.support.desk import AGENT, Desk, book, policy


def breached() -> Desk:
    """Return a ticket that is at risk and then breached."""
    desk = Desk(book(policy(calendar="office", at_risk=("75%",), resolution="PT4H")))
    desk.say(
        "2026-03-02 09:00", "created", state="new", client="harbour", number="T1", type="incident"
    )
    return desk.until("2026-03-02 13:01")


def test_the_same_fact_has_the_same_id() -> None:
    """A replay, another worker, a restart: the ids are those of the first time."""
    one, two = breached(), breached().restart()

    assert [each.id for each in one.alerts] == [each.id for each in two.alerts]
    assert len({each.id for each in one.alerts}) == 2


def test_an_id_does_not_depend_on_when_it_was_seen() -> None:
    """Detected a day later, it is the same fact."""
    late = Desk(book(policy(calendar="office", at_risk=("75%",), resolution="PT4H")))
    late.say("2026-03-02 09:00", "created", state="new").fire("2026-03-03 13:01")

    assert late.alerts[0].id == breached().alerts[1].id


def test_an_alert_carries_its_figures() -> None:
    """Target, elapsed, remaining, due, versions: all that a consumer needs to decide (D50)."""
    alert = breached().alerts[0].value
    assert alert is not None
    told = {
        name: alert[name]
        for name in ("client", "number", "type", "threshold", "severity", "policy", "calendar",
                     "target_ms", "elapsed_ms", "remaining_ms", "due", "reached_at", "late")
    }  # fmt: skip

    assert told == {
        "client": "harbour", "number": "T1", "type": "incident", "threshold": "75%",
        "severity": "warning", "policy": "gold", "calendar": "office",
        "target_ms": 14_400_000, "elapsed_ms": 10_800_000, "remaining_ms": 3_600_000,
        "due": "2026-03-02T13:00:00.000Z", "reached_at": "2026-03-02T12:00:00.000Z", "late": False,
    }  # fmt: skip


def test_a_clearing_folds_with_what_it_clears() -> None:
    """At risk and breached are two incidents; each is cleared under its own key."""
    desk = breached().say("2026-03-02 14:00", state="resolved", actor=AGENT)
    keys = [(each.type, (each.value or {})["dedup_key"].rpartition("/")[2]) for each in desk.alerts]

    assert keys == [
        ("at_risk", "at_risk"), ("breached", "breached"), ("cleared", "at_risk"), ("cleared", "breached"),
    ]  # fmt: skip
    assert [(each.value or {})["reason"] for each in desk.alerts[2:]] == ["stopped", "stopped"]


def test_a_folding_key_is_short_and_ascii() -> None:
    """PagerDuty takes at most 255 characters; ours have 200 bytes of ASCII, whatever the ticket is called."""
    plain = dedup_key("acme/desk/1", 2, 1, BREACH)
    long = dedup_key("acme/desk/" + "x" * 500, 0, 3, AT_RISK)
    strange = dedup_key("acme/desk/é", 2, 1, BREACH)

    assert plain == "acme/desk/1/resolution/1/breached"
    assert len(long) <= 200
    assert long.endswith("/response/3/at_risk")
    assert strange.isascii()


def test_parts_of_an_id_cannot_run_into_each_other() -> None:
    """`ab` and `c` are not `a` and `bc`."""
    assert fact_id("ab", "c") != fact_id("a", "bc")
    assert len(fact_id("x")) == 32


def test_events_are_cloud_events_in_binary_mode() -> None:
    """Attributes are headers, so that a null value stays a tombstone."""
    headers = dict(ce_headers("sla.breached.v1", "id", "acme/desk", 0))

    assert headers == {
        "ce_specversion": b"1.0",
        "ce_type": b"io.slastream.sla.breached.v1",
        "ce_source": b"/slastream/acme/desk",
        "ce_id": b"id",
        "ce_time": b"1970-01-01T00:00:00.000Z",
        "content-type": b"application/json",
    }
