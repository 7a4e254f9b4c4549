# ruff: noqa: E501  # sentences stand whole, so that a translator can read them
"""The words of a ticket's picture in French. The picture itself speaks English, as `explain` does."""

from __future__ import annotations

from collections.abc import Mapping

FRENCH: Mapping[str, str] = {
    "Ticket": "Ticket",
    "opened {opened}, read at {read}; times below are local to {zone}": "ouvert {opened}, lu {read} ; heures locales de {zone} ci-dessous",
    "{outcome}: {time} used": "{outcome} : {time} écoulé",
    "{state}: {time} counted": "{state} : {time} compté",
    "{state} for {whom}": "{state}, de {whom}",
    "no target": "sans engagement",
    "of": "sur",
    "hours": "horaires",
    "counts": "compte",
    "waits": "attend",
    "overrun": "dépassé",
    "over target": "en dépassement",
    "level": "seuil",
    "reached": "atteint",
    "due": "échéance",
    "response": "prise en charge",
    "plan": "plan d’action",
    "resolution": "résolution",
    "new": "nouveau",
    "responded": "pris en compte",
    "in_progress": "en cours",
    "waiting": "en attente",
    "resolved": "résolu",
    "closed": "clos",
    "cancelled": "annulé",
    "client": "client",
    "vendor": "fournisseur",
    "third_party": "tiers",
    "scheduled_by_client": "rendez-vous client",
    "provider": "prestataire",
    "unknown": "inconnu",
    "met": "tenu",
    "missed": "manqué",
    "running": "en cours",
    "paused": "en pause",
    "measured": "mesuré",
    "Mon": "lun.", "Tue": "mar.", "Wed": "mer.", "Thu": "jeu.", "Fri": "ven.", "Sat": "sam.", "Sun": "dim.",
    "Jan": "janv.", "Feb": "févr.", "Mar": "mars", "Apr": "avr.", "May": "mai", "Jun": "juin",
    "Jul": "juil.", "Aug": "août", "Sep": "sept.", "Oct": "oct.", "Nov": "nov.", "Dec": "déc.",
}  # fmt: skip
