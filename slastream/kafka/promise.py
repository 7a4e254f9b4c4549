"""Which topics a worker must not be trusted with: those on which it could lose or mistime something. Pure.

The rules are in `topics/`: `must` names the settings without which a promise does not hold, and topics of
`shared` partitions have as many as the journal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from slastream.core.errors import Misconfigured
from slastream.kafka.plan import Found, Wanted


def check(wanted: Sequence[Wanted], found: Mapping[str, Found], where: str) -> None:
    """Raise Misconfigured, with topic and setting, when a promise cannot be kept.

    `found` is what the broker at `where` has, by full name. Raw topics promise nothing. In a simulated
    plan, what the simulation sets otherwise is not looked at.
    """
    needed = [one for one in wanted if one.topic.short != "raw"]
    missing = [one.name for one in needed if one.name not in found]
    if missing:
        raise Misconfigured(
            f"not on the broker: {', '.join(missing)}",
            where=where,
            hint="slastream topics create",
        )
    journal = next(one.name for one in needed if one.topic.short == "tickets")
    for one in needed:
        have = found[one.name]
        if one.shared and have.partitions != found[journal].partitions:
            raise Misconfigured(
                f"are {have.partitions} here and {found[journal].partitions} in {journal}; "
                "a ticket must have the same partition in both",
                where=one.name,
                key="partitions",
                hint="create them again with the same number",
            )
        for setting in one.topic.must:
            simulated = one.config[setting] != one.topic.config[setting]
            if not simulated and have.config.get(setting) != one.config[setting]:
                raise Misconfigured(
                    f"is {have.config.get(setting)}, must be {one.config[setting]}",
                    where=one.name,
                    key=setting,
                    hint="slastream topics diff --apply mends it",
                )
