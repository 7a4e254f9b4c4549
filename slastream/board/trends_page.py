# ruff: noqa: E501  # HTML stands as it is sent
"""Trends as a page: attainment and error budget, where the time went, and pauses worth a look."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from slastream.board.hours import Hours
from slastream.board.pages import row
from slastream.board.text import html
from slastream.board.ticket import moment, waiting
from slastream.board.trends import Group, Tally, Trends, local_day
from slastream.board.words import Words
from slastream.core.instant import HOUR, Instant, Millis
from slastream.offline.attainment import percent_text
from slastream.offline.explain_text import exact

MOST = 200
"""Groups of a table that are shown."""


def body(
    t: Words, trends: Trends, hours: Hours, tenants: frozenset[str] | None, now: Instant, *,
    loaded: bool,
) -> str:  # fmt: skip
    """Return the page for those tenants; days are counted in the zone in which most calendars are."""
    today = local_day(now, _zone(hours, tenants))
    month = today[:7]
    parts = [
        _period(t, "today", f"{t('today')} · {today}", trends.between(today, today, tenants)),
        _period(t, "month", f"{t('this_month')} · {month}",
                trends.between(f"{month}-01", f"{month}-31", tenants)),
    ]  # fmt: skip
    loading = "" if loaded else f'<p class="soft">{html(t("still_loading"))}</p>'
    return f"""<main id="main" tabindex="-1" class="trends"><h1>{html(t("trends"))}</h1>{loading}
<p class="soft">{html(t("indicators_apart"))}</p>{"".join(parts)}{_flags(t, trends, hours, tenants)}</main>"""


def _zone(hours: Hours, tenants: frozenset[str] | None) -> str:
    found: dict[str, int] = {}
    for tenant in hours.books.tenants():
        if tenants is None or tenant in tenants:
            for calendar in hours.books.of(tenant).versions[-1].book.calendars.values():
                if not calendar.always:
                    found[calendar.zone] = found.get(calendar.zone, 0) + 1
    return max(found, key=lambda zone: (found[zone], zone)) if found else "UTC"


def _period(t: Words, name: str, title: str, groups: Mapping[Group, Tally]) -> str:
    if not groups:
        inner = f'<p class="soft">{html(t("no_outcomes"))}</p>'
    else:
        inner = _attainment(t, name, groups) + _where(t, name, groups)
    return f'<section class="paper" aria-labelledby="{name}-h"><h2 id="{name}-h">{html(title)}</h2>{inner}</section>'


def _attainment(t: Words, name: str, groups: Mapping[Group, Tally]) -> str:
    lines = []
    several = len({group[0] for group in groups}) > 1
    for (tenant, client, indicator, objective), tally in list(groups.items())[:MOST]:
        whose = f"<bdi>{html(client or '–')}</bdi>"
        if several:
            whose = f'<span class="soft"><bdi>{html(tenant)}</bdi></span> {whose}'
        share = tally.percent or 0.0
        good = objective is None or share >= objective
        lines.append(
            row(
                (
                    whose,
                    html(t.or_as_is(indicator)),
                    _bar(t, share, objective, good),
                    f"{tally.met} / {tally.decided}",
                    "–" if objective is None else percent_text(objective),
                    _budget(t, tally, objective),
                )
            )
        )
    names = ("client", "indicator", "attainment", "decided_of", "objective", "budget")
    head = row((html(t(n)) for n in names), "th")
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-labelledby="{name}-h"><table class="attainment"><thead>{head}'
        f"</thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _bar(t: Words, share: float, objective: float | None, good: bool) -> str:
    kind = "met" if good else "overdue"
    goal = (
        ""
        if objective is None
        else f'<line x1="{objective:.2f}" x2="{objective:.2f}" y1="0" y2="10" class="goal"/>'
    )
    return (
        f'<span class="mark {kind}" aria-hidden="true"></span><span class="figure">{percent_text(share)}</span>'
        f'<svg class="bar {kind}" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="100" height="10" class="ground"/><rect width="{share:.2f}" height="10" class="fill"/>{goal}</svg>'
    )


def _budget(t: Words, tally: Tally, objective: float | None) -> str:
    found = tally.budget(objective)
    if found is None:
        return "–"
    allowed, left = found
    if left < 0:
        return f'<strong class="bad">{html(t("overspent"))} {-left}</strong>'
    return f"{left} {html(t('of_allowed'))} {allowed}"


PARTS = (
    ("own", "own"), ("client", "for_client"), ("vendor", "for_vendor"), ("other", "for_other"),
    ("closed", "closed_hours"),
)  # fmt: skip


def _where(t: Words, name: str, groups: Mapping[Group, Tally]) -> str:
    """Where the time of the resolution went, by client; other indicators lie within it."""
    by_client: dict[tuple[str, str], Tally] = {}
    for (tenant, client, indicator, _), tally in groups.items():
        if indicator == "resolution":
            by_client.setdefault((tenant, client), Tally()).add(tally)
    lines = []
    for (_, client), tally in list(by_client.items())[:MOST]:
        spent = _spent(tally)
        total = sum(spent.values())
        if total <= 0:
            continue
        cells = [f"<bdi>{html(client or '–')}</bdi>", _stack(spent, total)]
        cells += [_hours(spent[part]) for part, _ in PARTS]
        lines.append(row(cells))
    if not lines:
        return ""
    keys = [
        f'<span class="key {part}" aria-hidden="true"></span>{html(t(word))}'
        for part, word in PARTS
    ]
    head = row((html(t("client")), html(t("resolution")), *keys), "th")
    return (
        f'<h3 id="{name}-where">{html(t("where"))} <span class="soft">({html(t("hours_total"))})</span></h3>'
        f'<div class="scroll" tabindex="0" role="group" aria-labelledby="{name}-where"><table class="where"><thead>{head}</thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _spent(tally: Tally) -> dict[str, Millis]:
    client, vendor = tally.waited["client"], tally.waited["vendor"]
    other = sum(tally.waited.values()) - client - vendor
    return {
        "own": tally.own, "client": client, "vendor": vendor, "other": other,
        "closed": tally.closed,
    }  # fmt: skip


def _stack(spent: Mapping[str, Millis], total: Millis) -> str:
    parts, at = [], 0.0
    for name, _ in PARTS:
        share = 100 * spent[name] / total
        if share > 0:
            parts.append(
                f'<rect x="{at:.2f}" width="{share:.2f}" height="10" class="part {name}"/>'
            )
        at += share
    return (
        '<svg class="bar stack" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f"{''.join(parts)}</svg>"
    )


def _hours(length: Millis) -> str:
    return f"{length / HOUR:,.1f}".replace(",", "\u202f") if length else "–"


def _flags(
    t: Words, trends: Trends, hours: Hours, tenants: frozenset[str] | None
) -> str:  # fmt: skip
    found = trends.flags(tenants)[:MOST]
    if not found:
        inner = f'<p class="soft">{html(t("no_flags"))}</p>'
    else:
        zone = _zone(hours, tenants)
        lines = [
            row(
                (
                    f'<a href="/ticket?key={html(quote(each.key, safe=""))}"><bdi>{html(each.number)}</bdi></a>',
                    f"<bdi>{html(each.client or '–')}</bdi>",
                    html(t.or_as_is(each.indicator)),
                    html(waiting(t, each.on)),
                    moment(each.paused_at, zone),
                    exact(each.left // 1000 * 1000),
                    moment(each.resumed_at, zone),
                )
            )
            for each in found
        ]
        names = (
            "ticket", "client", "indicator", "waiting_for", "paused_at", "left_then", "resumed_at",
        )  # fmt: skip
        head = row((html(t(n)) for n in names), "th")
        inner = (
            f'<div class="scroll" tabindex="0" role="group" aria-labelledby="flags-h"><table><thead>{head}</thead>'
            f"<tbody>{''.join(lines)}</tbody></table></div>"
        )
    return (
        f'<section class="paper" aria-labelledby="flags-h"><h2 id="flags-h">{html(t("flags"))}</h2>'
        f'<p class="soft">{html(t("flags_why"))}</p>{inner}</section>'
    )
