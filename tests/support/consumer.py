"""What somebody who reads the alerts and outcomes topics believes, and may rely on.

Fed with every message in order of publication, it checks what no consumer should ever see: an id with
two contents, an alert before it is due, a clearing of something never announced, a proof that does not
sum up. `open` are the incidents that a pager shows, `outcomes` the last word on each clock cycle.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from slastream.core.instant import parse_instant
from slastream.engine.effects import Message
from tests.support.desk import Said, decode

FLEETING = ("detected_at", "late", "decided_at")
"""What is no part of a fact's identity."""


@dataclass
class Consumer:
    """One reader of everything that a partition publishes."""

    seen: dict[str, dict[str, Any]] = field(default_factory=dict)
    open: dict[str, str] = field(default_factory=dict)
    """Incidents by `dedup_key`, with the instant at which they became true."""
    outcomes: dict[tuple[str, str, int], str] = field(default_factory=dict)
    clocks: dict[bytes, bytes | None] = field(default_factory=dict)
    """The clocks topic, compacted."""

    def read(self, message: Message) -> None:
        """Take one message in."""
        reason = dict(message.headers).get("sla-reason")
        assert reason != b"bug", f"a bug of ours: {dict(message.headers)}"
        if message.output == "clocks":
            self.clocks[message.key] = message.value
        if message.output not in ("alerts", "outcomes"):
            return
        said = decode(message)
        value = said.value
        assert value is not None, f"{said.output} holds no tombstones"
        content = {name: told for name, told in value.items() if name not in FLEETING}
        assert said.id not in self.seen, f"{said.what} was published twice under {said.id}"
        if said.output == "outcomes":
            self._decided(said, value)
        else:
            self._alerted(said, value)
        self.seen[said.id] = content

    def _alerted(self, said: Said, value: dict[str, Any]) -> None:
        proof = sum(row["counted_ms"] for row in value["because"])
        assert proof == value["elapsed_ms"], f"{said.what}: because sums to {proof}"
        if value["target_ms"] is not None:
            assert value["target_ms"] - value["elapsed_ms"] == value["remaining_ms"]
        if said.type in ("cleared", "corrected"):
            assert value["alert_id"] in self.seen, f"{said.what} refers to nothing announced"
        if value["reached_at"] is not None:
            reached = parse_instant(value["reached_at"])
            assert reached <= parse_instant(value["detected_at"]), f"{said.what} before it is true"
        stands = said.type in ("at_risk", "breached") or (
            said.type == "corrected" and value["after"] is not None
        )
        if stands:
            self.open[value["dedup_key"]] = value["reached_at"]
        else:
            self.open.pop(value["dedup_key"], None)

    def _decided(self, said: Said, value: dict[str, Any]) -> None:
        if value["replaces"] is not None:
            assert value["replaces"] in self.seen, f"{said.id} replaces nothing announced"
        cycle = (said.ticket, value["indicator"], value["cycle"])
        retracted = value["finality"] == "retracted"
        self.outcomes[cycle] = "retracted" if retracted else value["outcome"]
