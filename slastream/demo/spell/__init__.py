"""How fourteen sources would tell one step of a ticket's life, each in a file of its own.

Shapes follow what the vendors document for their webhooks, records and rows; every value is
invented. A step can be several messages, or none where a system would keep it to itself.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from slastream.demo.life import Step
from slastream.demo.spell import (
    autotask,
    canonical,
    connectwise,
    debezium,
    frappe_helpdesk,
    freshservice,
    glpi,
    halopsa,
    itop,
    jira,
    servicenow,
    zammad,
    zendesk,
    znuny,
)
from slastream.demo.spell.common import TENANT, Message, Spelled

__all__ = ["TENANT", "Message", "Spelled", "spell"]

_SPELLINGS: Mapping[str, Callable[[Step, random.Random], Spelled]] = {
    "autotask": autotask.spell,
    "canonical": canonical.spell,
    "connectwise": connectwise.spell,
    "debezium": debezium.spell,
    "frappe_helpdesk": frappe_helpdesk.spell,
    "freshservice": freshservice.spell,
    "glpi": glpi.spell,
    "halopsa": halopsa.spell,
    "itop": itop.spell,
    "jira": jira.spell,
    "servicenow": servicenow.spell,
    "zammad": zammad.spell,
    "zendesk": zendesk.spell,
    "znuny": znuny.spell,
}


def spell(step: Step, rng: random.Random) -> Spelled:
    """Return what the ticket's own system would send about a step, in the order of sending."""
    return _SPELLINGS[step.ticket.system.source](step, rng)
