"""What a step counts of the promises that it decides: each once, and by whose promise it is."""

from __future__ import annotations

from slastream.engine.effects import Effects
from tests.support.desk import AGENT, Desk, book, policy

RESPONSE = book(policy(response="PT1H", at_risk=("50%",), overdue=("PT1H over",)))
RESOLUTION = book(policy(resolution="PT4H"))


class Watched(Desk):
    """A desk that keeps what its steps asked for."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.asked: list[Effects] = []

    def _take(self, effects: Effects) -> Desk:
        self.asked.append(effects)
        return super()._take(effects)

    def counted(self, name: str) -> dict[tuple[str, ...], int]:
        """Return labels -> how often, of what is counted under a name."""
        return {told[1:]: n for told, n in self.counts.items() if told[0] == name}

    @property
    def ratios(self) -> list[tuple[str, str, float]]:
        return [each for effects in self.asked for each in effects.ratios]


def test_a_breach_is_decided_when_it_is_announced_and_once() -> None:
    """A missed promise counts at its breach, not again at a reminder or when the milestone comes."""
    desk = Watched(RESPONSE)
    desk.say("2026-03-02 09:00", "created", state="new", client="big")
    desk.until("2026-03-02 12:00").say(
        "2026-03-02 12:00", "comment", actor=AGENT, state="in_progress"
    )

    assert ("breached response PT1H over", "03-02 11:00") in desk.told()
    assert desk.decided()[0] == "response missed final"
    assert desk.counted("decisions") == {("acme", "big", "gold", "response", "missed"): 1}
    assert desk.ratios == [("acme", "response", 3.0)]


def test_a_promise_kept_is_decided_once() -> None:
    """What follows the first outcome of a milestone, as another or as retracted, counts no more."""
    desk = Watched(RESOLUTION)
    desk.say("2026-03-02 09:00", "created", state="new")
    desk.say("2026-03-02 11:00", state="resolved")
    desk.say("2026-03-02 11:30", state="closed")
    desk.say("2026-03-02 10:30", state="cancelled", arrives="2026-03-02 12:00")

    assert len(desk.outcomes) > 1
    assert desk.counted("decisions") == {("acme", "", "gold", "resolution", "met"): 1}
    assert desk.ratios == [("acme", "resolution", 0.5)]


def test_a_milestone_that_was_inferred_is_counted() -> None:
    """Who resolves without a word has responded: it counts as implied, by source."""
    desk = Watched(RESPONSE)
    desk.say("2026-03-02 09:00", "created", state="new")
    desk.say("2026-03-02 09:30", state="resolved")

    assert desk.counted("implied") == {("desk", "response"): 1}


def test_a_delay_names_its_ticket() -> None:
    """How late a warning and a breach were detected is told with the key of their ticket."""
    desk = Watched(RESPONSE)
    desk.say("2026-03-02 09:00", "created", state="new")
    desk.fire("2026-03-02 09:31").fire("2026-03-02 10:00:02")

    assert [each for effects in desk.asked for each in effects.delays] == [
        ("at_risk", 60_000, b"acme/desk/1"),
        ("breached", 2_000, b"acme/desk/1"),
    ]
