"""What is allowed in a book and probably not meant (D05). This file knows no YAML.

Every finding has a code out of `LINTS`, which says in one line why it is worth a look.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator

from slastream.book import lint_policies, mappings
from slastream.book.calendars import ALWAYS
from slastream.book.finding import Finding
from slastream.book.loading import Loaded
from slastream.core.event import State
from slastream.core.policy import SourceMapping, fold_text

__all__ = ["LINTS", "Finding", "lint"]

LINTS: dict[str, str] = {
    "provider-owes": "A status that pauses the clock though its name says the next step is ours.",
    "waiting-on-nobody": "A status that pauses the clock without saying who is waited for.",
    "no-response-status": "No status of the source ever means responded or in_progress.",
    "resolved-by-closing": "Nothing but closing a ticket resolves it, so resolution waits for that.",
    "unmapped-vendor-status": "The vendor is known to use a status that this book does not map.",
    "status-typo": "A status is spelled nearly like one of the vendor's, and matches nothing.",
    "preset-not-used": "A source is named like a preset and does not use it.",
    **lint_policies.LINTS,
    "calendar-unused": "No policy uses the calendar and no calendar extends it.",
    "calendar-no-timezone": "A calendar without a time zone runs on UTC.",
}

_OURS = re.compile(
    r"\b(schedul|planifi|planned|dispatch|call ?back|called back|rappel|recontacter|triag|qualif"
    r"|escalat|escalad|n ?[23]\b|l ?[23]\b|level [23]|niveau [23]|internal|interne"
    r"|assign|attribu|affect|in progress|en cours|working|investigat|review"
    r"|(customer|client|user) (responded|replied|updated)|re-?open|r[ée]ouvert)"
)
_THEIRS = re.compile(r"(waiting|awaiting|attente).*(client|customer|user|caller|utilisateur)")


def lint(loaded: Loaded) -> list[Finding]:
    """Return what looks wrong in a book, in the order of its parts."""
    rules: tuple[Callable[[Loaded], Iterator[Finding]], ...] = (
        _calendars,
        _sources,
        lint_policies.policies,
    )
    return [finding for rule in rules for finding in rule(loaded)]


def _calendars(loaded: Loaded) -> Iterator[Finding]:
    places = loaded.places
    used = {policy.calendar for policy in loaded.book.policies} | places.extended
    for name in loaded.book.calendars:
        where, key = places.calendars.get(name, places.file), f"calendars.{name}"
        if name in places.declared and name not in used:
            yield Finding("calendar-unused", where, key, f"nothing uses the calendar {name!r}")
        if name in places.zoneless and name != ALWAYS:
            message = f"the hours of {name!r} are read as UTC; write timezone:"
            yield Finding("calendar-no-timezone", where, key, message)


def _sources(loaded: Loaded) -> Iterator[Finding]:
    for name, source in loaded.book.sources.items():
        where = loaded.places.sources.get(name, loaded.places.file)
        words = loaded.places.words[name]
        yield from _waiting(name, words)
        yield from _reaching(name, where, source)
        yield from _against_preset(name, where, source, words)


def _waiting(name: str, words: mappings.Words) -> Iterator[Finding]:
    """Whose turn it is decides, not the label (D36)."""
    for at, mapped in words.statuses.items():
        if mapped.state is not State.WAITING or mapped.on == "provider":
            continue
        label, where = words.written[at]
        key = f"sources.{name}.statuses.{label}"
        chosen_by_client = mapped.on == "scheduled_by_client"
        if not chosen_by_client and owed_by_provider(label):
            message = f"{label!r} pauses the clock, but its name says that the next step is ours"
            hint = "map it to responded, in_progress or waiting/provider"
            if "schedul" in label.casefold() or "planifi" in label.casefold():
                hint += ", or waiting/scheduled_by_client if the client chose the date"
            yield Finding("provider-owes", where, key, message, hint)
        elif mapped.on == "unknown":
            message = f"{label!r} pauses the clock for nobody in particular"
            yield Finding(
                "waiting-on-nobody", where, key, message, "write waiting/client or another"
            )


def owed_by_provider(label: str) -> bool:
    """Whether a status' name suggests that the provider owes the next action."""
    folded = fold_text(label)
    return bool(_OURS.search(folded)) and not _THEIRS.search(folded)


def _reaching(name: str, where: str, source: SourceMapping) -> Iterator[Finding]:
    states = {mapped.state for mapped in source.statuses.values()}
    key = f"sources.{name}"
    if not states:
        return
    if not states & {State.RESPONDED, State.IN_PROGRESS} and not source.assigned_is_responded:
        message = f"no status of {name!r} means responded or in_progress"
        hint = "map one, or nothing but resolving a ticket will answer it"
        yield Finding("no-response-status", where, key, message, hint)
    if State.RESOLVED not in states and State.CLOSED in states:
        message = f"no status of {name!r} means resolved, so only closing stops the clock"
        yield Finding("resolved-by-closing", where, key, message)


def _against_preset(
    name: str, where: str, source: SourceMapping, words: mappings.Words
) -> Iterator[Finding]:
    """Compare with what the vendor is known to say."""
    key = f"sources.{name}"
    vendor = source.preset or (name if name in mappings.presets() else None)
    if vendor is None:
        return
    preset = mappings.preset(vendor)
    if source.preset is None:
        message = f"{name!r} does not use the preset of that name"
        yield Finding("preset-not-used", where, key, message, f"write preset: {vendor}")
        plain = [label for at, (label, _) in preset.written.items() if at[1] and not at[2]]
        missing = [label for label in plain if not _mapped(source, label)]
        shown = ", ".join(missing[:8]) + (f" and {len(missing) - 8} more" if missing[8:] else "")
        if missing:
            message = f"no mapping for {shown}"
            yield Finding("unmapped-vendor-status", where, f"{key}.statuses", message)
    for label in preset.unmapped:
        if not _mapped(source, label):
            message = f"no mapping for {label!r}, which means something else at every site"
            yield Finding("unmapped-vendor-status", where, f"{key}.statuses", message)
    known = {at[1]: label for at, (label, _) in preset.written.items()}
    for at in words.statuses:
        label, line = words.written[at]
        if at[1] in known or len(at[1]) < 6:
            continue
        near = difflib.get_close_matches(at[1], known, n=1, cutoff=0.92)
        if near:
            message = f"{label!r} is no status of {preset.title}"
            hint = f"did you mean {known[near[0]]!r}?"
            yield Finding("status-typo", line, f"{key}.statuses.{label}", message, hint)


def _mapped(source: SourceMapping, label: str) -> bool:
    folded = fold_text(label)
    return any(at[1] == folded for at in source.statuses)
