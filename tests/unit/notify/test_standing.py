"""What stands: an incident begins with its first alert and ends with its last, whatever comes between."""

from __future__ import annotations

import random
from typing import Any

import pytest

from slastream.core.errors import Rejected
from slastream.core.instant import DAY, HOUR
from slastream.notify.alert import Alert, alert_of
from slastream.notify.standing import REMEMBERED, Notice, Standing
from tests.support.alerts import alert, now_ms, record


def told(standing: Standing, *alerts: Alert) -> list[str]:
    """Return what is done about each alert: an action, or why nothing is."""
    found = [standing.take(each) for each in alerts]
    return [each.action if isinstance(each, Notice) else each for each in found]


def everything() -> Standing:
    return Standing(lambda _: True)


def test_an_incident_is_over_with_its_last_alert() -> None:
    """Two levels stand under one key; the first clearing takes a part away, the second one ends it."""
    standing = everything()

    assert told(
        standing,
        alert("at_risk", id_="a", threshold="75%"),
        alert("at_risk", id_="b", threshold="90%"),
        alert("cleared", id_="c", about="b"),
        alert("cleared", id_="d", about="a"),
        alert("at_risk", id_="e", threshold="75%"),
    ) == ["trigger", "update", "partial", "resolve", "trigger"]
    assert len(standing) == 1


def test_a_breach_is_another_incident_than_its_risk() -> None:
    """It pages anew, and each ends by itself."""
    standing = everything()

    assert told(
        standing,
        alert("at_risk", id_="a"),
        alert("breached", id_="b", level="breached"),
        alert("breached", id_="c", level="breached", threshold="PT30M over"),
        alert("cleared", id_="d", about="a"),
        alert("cleared", id_="e", about="b", level="breached"),
        alert("cleared", id_="f", about="c", level="breached"),
    ) == ["trigger", "trigger", "update", "resolve", "partial", "resolve"]


def test_a_correction_takes_the_place_of_what_it_corrects() -> None:
    """With something true after it the incident goes on under the new id; without, it ends."""
    standing = everything()
    fact = {"threshold": "75%", "reached_at": "2026-03-02T09:02:11.000Z"}

    assert told(
        standing,
        alert("at_risk", id_="a"),
        alert("corrected", id_="b", about="a", before=fact, after=fact),
        alert("cleared", id_="c", about="a"),
        alert("corrected", id_="d", about="b", before=fact, after=None),
    ) == ["trigger", "update", "unknown", "resolve"]


def test_a_correction_of_what_is_over_reaches_those_who_keep_books() -> None:
    """It changes no incident, and is told as a part; with something true after it, it is an alert."""
    fact = {"threshold": "breach", "reached_at": "2026-03-02T09:02:11.000Z"}
    before = (
        alert("breached", id_="a", level="breached"),
        alert("cleared", id_="b", about="a", level="breached"),
    )

    assert told(
        everything(),
        *before,
        alert("corrected", id_="c", about="a", level="breached", before=fact, after=None),
    ) == ["trigger", "resolve", "partial"]
    assert told(
        everything(),
        *before,
        alert("corrected", id_="c", about="a", level="breached", before=fact, after=fact),
    ) == ["trigger", "resolve", "trigger"]


def test_what_was_announced_twice_is_told_once() -> None:
    """The same id is the same fact, while it stands and after it was cleared."""
    standing = everything()
    one = alert("at_risk", id_="a")

    assert told(standing, one, one, alert("cleared", id_="b", about="a"), one) == [
        "trigger", "repeat", "resolve", "repeat",
    ]  # fmt: skip


def test_what_is_remembered_has_an_end() -> None:
    """Ids of years are not kept: the oldest is forgotten, and the newest are not."""
    standing = Standing(lambda _: False)
    alerts = [alert("at_risk", id_=str(n)) for n in range(REMEMBERED + 1)]

    assert set(told(standing, *alerts)) == {"filtered"}
    assert told(standing, alerts[-1], alerts[1], alerts[0]) == ["repeat", "repeat", "filtered"]


def test_filters_are_asked_about_alerts_and_not_about_what_clears_them() -> None:
    """A ticket whose priority fell meanwhile still ends its incident; what nobody was told of ends nothing."""
    standing = Standing(lambda alert: alert.text("priority") == "P1")

    assert told(
        standing,
        alert("at_risk", id_="a", priority="P1"),
        alert("at_risk", "other", id_="b", priority="P2"),
        alert("cleared", "other", id_="c", about="b", priority="P1"),
        alert("cleared", id_="d", about="a", priority="P4"),
    ) == ["trigger", "filtered", "unknown", "resolve"]


def test_the_first_alert_names_the_incident() -> None:
    """Whoever identifies by labels gets those of the beginning, with whatever came since."""
    standing = everything()
    standing.take(alert("at_risk", id_="a", priority="P1"))
    update = standing.take(alert("at_risk", id_="b", priority="P3", threshold="90%"))

    assert isinstance(update, Notice)
    assert (update.first.text("priority"), update.alert.text("priority")) == ("P1", "P3")


def test_a_fold_may_begin_at_the_oldest_incident() -> None:
    """Read from where the oldest incident began, the topic says the same of all that stands."""
    rng = random.Random(7)
    alerts = list(history(rng, 400))
    for upto in range(0, 400, 13):
        whole = everything()
        for each in alerts[:upto]:
            whole.take(each)
        since = upto if whole.oldest is None else whole.oldest
        part = everything()
        for each in alerts[since:upto]:
            part.take(each)

        assert [(each.first.id, each.ids) for each in part] == [
            (each.first.id, each.ids) for each in whole
        ]


def history(rng: random.Random, count: int) -> Any:
    """Yield alerts and what clears them, of a few tickets, at random."""
    standing: list[tuple[str, str]] = []
    for n in range(count):
        if standing and rng.random() < 0.5:
            ticket, about = standing.pop(rng.randrange(len(standing)))
            yield alert("cleared", ticket=ticket, id_=f"c{n}", about=about, offset=n)
        else:
            ticket = f"t{rng.randrange(8)}"
            standing.append((ticket, f"a{n}"))
            yield alert("at_risk", ticket=ticket, id_=f"a{n}", offset=n)


def test_an_alert_of_another_time_is_simulated() -> None:
    """A worker that catches up for days is not; one that lives last year, or tomorrow, is."""
    now = now_ms()

    assert not alert("at_risk", id_="a", at=now).simulated
    assert not alert("at_risk", id_="a", at=now - 3 * DAY).simulated
    assert alert("at_risk", id_="a", at=now - 8 * DAY).simulated
    assert alert("at_risk", id_="a", at=now + 2 * HOUR).simulated


@pytest.mark.parametrize(
    "strange",
    [
        {"headers": []},
        {"headers": [("ce_type", b"io.slastream.ticket.v1"), ("ce_id", b"a")]},
        {"headers": [("ce_type", b"io.slastream.sla.at_risk.v1"), ("ce_id", b"a\r\nx-evil: 1")]},
        {"value": b"not json"},
        {"value": b"[]"},
        {"value": b"{}"},
        {"value": b'{"detected_at": "yesterday", "dedup_key": "a/at_risk"}'},
        {"value": b'{"detected_at": "2026-03-02T09:02:11.000Z", "dedup_key": "a/else"}'},
        {"value": b'{"detected_at": 1, "dedup_key": "a/at_risk", "due": "soon"}'},
    ],
)
def test_what_is_no_alert(strange: dict[str, Any]) -> None:
    """What somebody else wrote onto the topic is told apart before anybody is told of it."""
    record_ = record("at_risk", id_="a")
    for name, value in strange.items():
        setattr(record_, name, value)

    with pytest.raises(Rejected, match="not_an_alert"):
        alert_of(record_)
