# ruff: noqa: E501  # HTML stands as it is sent
"""One ticket: the timeline as a picture, who judges it and why, its ledger, and what was announced.

Everything comes from the ticket's newest record on the clocks topic, from the alerts topic and from
the books; figures are those of the record, so they are those that `explain` gives for that instant.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from slastream.board.alerts import Said
from slastream.board.card import zone_of
from slastream.board.hours import Hours
from slastream.board.pages import data, row, when
from slastream.board.shelf import Held
from slastream.board.text import CLIP, html, plain, safe_url
from slastream.board.words import Words
from slastream.core.errors import SlastreamError
from slastream.core.instant import DAY, Instant, format_instant, parse_instant
from slastream.offline.explain_text import exact
from slastream.offline.picture import svg

Told = Mapping[str, Any]

_STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)
ATTRIBUTES = (
    "tenant", "source", "ticket", "number", "client", "contract", "priority", "type", "team",
    "assignee", "board", "status",
)  # fmt: skip


def tell(key: str, held: Held, hours: Hours, said: Sequence[Said], now: Instant) -> dict[str, Any]:
    """Return a ticket as its page shows it, in the form in which `explain` tells tickets."""
    value = held.value()
    told: dict[str, Any] = {
        name: plain(value[name], CLIP) if value.get(name) is not None else None
        for name in ATTRIBUTES
    }
    told |= {
        "key": key,
        "url": safe_url(value.get("url")),
        "as_of": value["confirmed_at"],
        "created_at": value["created_at"],
        "judged": value["judged"],
        "state": plain(value["state"], CLIP),
        "waiting_on": plain(value["waiting_on"], CLIP) or None,
        "reopen_count": value["reopen_count"],
        "clocks": [_clock(value, clock, hours) for clock in value["clocks"]],
        "said": said,
        "partition": held.partition,
        "offset": held.offset,
        "digest": hashlib.sha256(held.raw()).hexdigest(),
        "now": now,
        "calendars": {
            f"{value['tenant']}/{clock['calendar']}": hours.told(
                value["tenant"], clock["calendar"], now
            )[1]
            for clock in value["clocks"]
        },
    }
    return told


def _clock(value: Told, clock: Told, hours: Hours) -> dict[str, Any]:
    tenant, calendar = value["tenant"], clock["calendar"]
    ledger = [
        {**each, "state": plain(each["state"], CLIP), "waiting_on": plain(each.get("waiting_on")) or None,
         "waited_ms": each.get("waited_ms", 0)}
        for each in clock["ledger"]
    ]  # fmt: skip
    told = {
        **clock,
        "indicator": plain(clock["indicator"], CLIP),
        "calendar": plain(calendar, CLIP),
        "policy": plain(clock["policy"], CLIP) or None,
        "zone": hours.zone(tenant, calendar),
        "ledger": ledger,
        "windows": _windows(hours, tenant, clock, ledger),
        "levels": [
            {"level": plain(each["level"], 40), "reached_at": each["reached_at"], "status": ""}
            for each in clock["alerts"]
        ],
        "reason": _reason(hours, value, clock),
        "covered": None,
        "name": f"{tenant}/{calendar}",
    }
    if clock["phase"] == "running" and clock["due"] is not None:
        told["covered"] = hours.covered(tenant, calendar, parse_instant(clock["due"]))
    return told


def _windows(hours: Hours, tenant: str, clock: Told, ledger: list[Any]) -> list[list[str]]:
    start = parse_instant(clock["started_at"])
    ends = [start, *(parse_instant(each["to"]) for each in ledger)]
    ends += [parse_instant(clock[name]) for name in ("due", "breached_at") if clock[name]]
    end = min(max(ends), start + 400 * DAY)
    try:
        found = hours.coverage(tenant, clock["calendar"]).windows(start, end)
    except SlastreamError:
        return []
    return [[format_instant(opens), format_instant(closes)] for opens, closes in found]


def _reason(hours: Hours, value: Told, clock: Told) -> tuple[str, list[tuple[str, str]]] | None:
    """Return why the policy won and why others lost, None where the record cannot tell."""
    version = hours.books.of(value["tenant"]).named(clock["book"] or "")
    if version is None:
        return None
    attributes = {name: value.get(name) for name in ATTRIBUTES}
    considered = version.chooser.considered(attributes, parse_instant(clock["started_at"]))
    winner = next((each for each in considered if each.won), None)
    if winner is None or winner.policy.name != clock["policy"]:
        return None
    losers = [(each.policy.name, each.reason) for each in considered if not each.won]
    reason = winner.reason
    if clock["target_ms"] is None:
        reason = f"{reason}; it promises no target here, so the time is measured only"
    return reason, losers[:8]


# -- as HTML --------------------------------------------------------------------------------------


def title(t: Words, told: Told) -> str:
    """Return the title of the page."""
    return f"{told['number'] or told['ticket']} · {t('ticket')}"


def body(t: Words, told: Told, *, evidence: bool) -> str:
    """Return the page of a ticket, or with `evidence` what belongs on paper."""
    number = html(told["number"] or told["ticket"])
    heading = (
        f"{html(t('evidence_of'))} <bdi>{number}</bdi>" if evidence else f"<bdi>{number}</bdi>"
    )
    clocks = "".join(_clock_html(t, clock, evidence) for clock in told["clocks"])
    return f"""<main id="main" tabindex="-1" class="ticket{" evidence" if evidence else ""}">
<header class="about"><h1>{heading}</h1>{_links(t, told, evidence)}
<p class="tags">{"".join(_tags(t, told))}</p>
<p class="soft">{_times(t, told)}</p></header>
<section aria-labelledby="timeline-h" class="paper"><h2 id="timeline-h">{html(t("timeline"))}</h2>
<div class="timeline" tabindex="0" role="group" aria-labelledby="timeline-h">{picture(t, told)}</div></section>
<section aria-labelledby="clocks-h"><h2 id="clocks-h">{html(t("clocks"))}</h2><div class="clocks">{clocks}</div></section>
<section aria-labelledby="alerts-h" class="paper"><h2 id="alerts-h">{html(t("alerts"))}</h2>{_alerts(t, told)}</section>
<section class="record"><h2>{html(t("record"))}</h2><p class="soft"><code>{html(told["key"], 500)}</code>,
{html(t("partition"))} {told["partition"]}, {html(t("offset"))} {told["offset"]}; {html(t("digest"))}: <code class="digest">{told["digest"]}</code></p></section>
<script type="application/json" id="calendars">{data({"now": told["now"], "calendars": told["calendars"]})}</script>
</main>"""


def picture(t: Words, told: Told) -> str:
    """Return the timeline as SVG to stand inside a page, whose own style it then wears."""
    if not told["clocks"]:
        return ""
    return (
        _STYLE.sub("", svg(told, t.of_picture))
        .replace('id="wait"', 'id="waits"')
        .replace("url(#wait)", "url(#waits)")
    )


def _links(t: Words, told: Told, evidence: bool) -> str:
    if evidence:
        return f'<p class="links"><button type="button" id="print">{html(t("print"))}</button></p>'
    key = quote(told["key"], safe="")
    links = [f'<a href="/evidence?key={key}">{html(t("evidence"))}</a>']
    if told["url"]:
        links.insert(
            0,
            f'<a href="{html(told["url"])}" target="_blank" rel="noopener noreferrer">'
            f"{html(t('open_in'))} ↗</a>",
        )
    return f'<p class="links">{" ".join(links)}</p>'


def _tags(t: Words, told: Told) -> Iterator[str]:
    for name in ("client", "priority", "type", "team", "assignee", "contract", "status"):
        if told[name]:
            label = t(name) if name in ("client", "priority", "team") else name
            yield f'<span class="tag"><span class="sr">{html(label)}: </span><bdi>{html(told[name])}</bdi></span> '


def _times(t: Words, told: Told) -> str:
    zone = told["clocks"][-1]["zone"] if told["clocks"] else "UTC"
    state = t.or_as_is(told["state"])
    if told["waiting_on"]:
        state += f" ({waiting(t, told['waiting_on'])})"
    parts = [
        f"{html(t('opened'))} {moment(told['created_at'], zone)}",
        f"{html(t('read_at'))} {moment(told['as_of'], zone)}",
        f"{html(t('state'))}: <bdi>{html(state)}</bdi>",
    ]
    if told["reopen_count"]:
        parts.append(f"{html(t('reopened'))} {told['reopen_count']} {html(t('times'))}")
    if not told["judged"]:
        parts.append(html(t("not_judged")))
    return " · ".join(parts)


def moment(text: str | None, zone: str) -> str:
    """Return an instant as HTML: local to the calendar, and for scripts to add the viewer's."""
    if text is None:
        return "–"
    instant = parse_instant(text)
    there = datetime.fromtimestamp(instant // 1000, zone_of(zone))
    return when(text, zone, f"{there:%Y-%m-%d %H:%M:%S} {zone.rpartition('/')[2]}")


def waiting(t: Words, on: str) -> str:
    """Return who is waited for, in words."""
    return t.or_as_is(f"{on}_on") if f"{on}_on" != t.or_as_is(f"{on}_on") else on


def _clock_html(t: Words, clock: Told, evidence: bool) -> str:
    zone = clock["zone"]
    name = t.or_as_is(clock["indicator"])
    cycle = f" · {t('cycle')} {clock['cycle']}" if clock["cycle"] > 1 else ""
    standing = _standing(clock)
    policy = html(clock["policy"]) if clock["policy"] else f"<em>{html(t('none'))}</em>"
    facts: list[tuple[str, str]] = [
        (t("policy"), f"<bdi>{policy}</bdi>"),
        (
            t("calendar"),
            f"<bdi>{html(clock['calendar'])}</bdi> <span class=soft>{html(zone)}</span>",
        ),
        (t("target"), "–" if clock["target_ms"] is None else exact(clock["target_ms"])),
        (t("elapsed"), exact(clock["elapsed_ms"])),
        (t("remaining"), _signed(clock["remaining_ms"])),
        (t("started"), moment(clock["started_at"], zone)),
        (t("due_at"), moment(clock["due"], zone)),
    ]
    for label, field in ((t("reached"), "reached_at"), (t("breached_at"), "breached_at")):
        if clock[field]:
            facts.append((label, moment(clock[field], zone)))
    if clock["paused_ms"]:
        by = ", ".join(f"{waiting(t, on)} {exact(ms)}" for on, ms in clock["paused_by"].items())
        facts.append((t("paused_for"), html(f"{exact(clock['paused_ms'])} ({by})")))
    if clock["next"]:
        level = html(clock["next"]["level"], 40)
        facts.append((t("next_level"), f"{level} {moment(clock['next']['at'], zone)}"))
    if clock["book"]:
        facts.append((t("book"), f"<code>{html(clock['book'], 80)}</code>"))
    listed = "".join(f"<div><dt>{html(label)}</dt><dd>{shown}</dd></div>" for label, shown in facts)
    return f"""<article class="clock-card {standing}">
<h3><span class="mark {standing}" aria-hidden="true"></span><bdi>{html(name)}</bdi>{html(cycle)}
<span class="outcome">{html(t.or_as_is("paused_word" if clock["outcome"] == "paused" else clock["outcome"]))}</span></h3>{"" if evidence else _left(t, clock)}
<dl>{listed}</dl>{_why(t, clock, evidence)}{_ledger(t, clock, evidence)}</article>"""


def _standing(clock: Told) -> str:
    if clock["outcome"] == "met":
        return "met"
    if clock["breached_at"] or clock["outcome"] == "missed":
        return "overdue"
    if clock["phase"] == "paused":
        return "paused"
    if clock["phase"] != "running":
        return "later"
    return "at_risk" if clock["verdict"] == "at_risk" else "today"


def _left(t: Words, clock: Told) -> str:
    """Return the countdown, which a script keeps going."""
    if clock["phase"] not in ("running", "paused") or clock["remaining_ms"] is None:
        return ""
    covered = "" if clock["covered"] is None else f' data-covered="{clock["covered"]}"'
    word = t("over") if clock["remaining_ms"] < 0 else t("left")
    return (
        f'<p class="left" data-calendar="{html(clock["name"], 400)}" data-left="{clock["remaining_ms"]}"'
        f'{covered}><span class="figure">{_signed(clock["remaining_ms"])}</span>'
        f' <span class="unit">{html(word)}</span></p>'
    )


def _signed(length: int | None) -> str:
    if length is None:
        return "–"
    return exact(length) if length >= 0 else f"−{exact(-length)}"


def _why(t: Words, clock: Told, evidence: bool) -> str:
    if clock["reason"] is None:
        return f'<p class="soft">{html(t("why_unknown"))}</p>' if clock["policy"] else ""
    reason, losers = clock["reason"]
    summary = f"{html(t('why'))}: <bdi>{html(reason, 300)}</bdi>"
    rest = "".join(f"<li><bdi>{html(n, CLIP)}</bdi>: {html(r, 300)}</li>" for n, r in losers)
    if not rest:
        return f"<p>{summary}</p>"
    is_open = " open" if evidence else ""
    return f"<details{is_open}><summary>{summary}</summary><ul>{rest}</ul></details>"


def _ledger(t: Words, clock: Told, evidence: bool) -> str:
    zone, rows = clock["zone"], clock["ledger"]
    if not rows:
        return ""
    lines = "".join(
        row(
            (
                moment(each["from"], zone),
                moment(each["to"], zone),
                html(_state(t, each)),
                exact(each["counted_ms"]),
                exact(each["waited_ms"]) if each["waited_ms"] else "",
            )
        )
        for each in rows
    )
    total = sum(each["counted_ms"] for each in rows)
    proof = t("sum_is") if total == clock["elapsed_ms"] else t("sum_not")
    head = row((html(t(n)) for n in ("from", "to", "state", "counted", "waited")), "th")
    return f"""<details class="ledger"{" open" if evidence else ""}><summary>{html(t("ledger"))} ({len(rows)})</summary>
<div class="scroll" tabindex="0" role="group" aria-label="{html(t("ledger"))}"><table><thead>{head}</thead><tbody>{lines}</tbody>
<tfoot><tr><td colspan="3">{html(t("sum"))}: {html(proof)}</td><td>{exact(total)}</td><td></td></tr></tfoot></table></div></details>"""


def _state(t: Words, each: Told) -> str:
    state = t.or_as_is(each["state"])
    return f"{state} ({waiting(t, each['waiting_on'])})" if each["waiting_on"] else state


def _alerts(t: Words, told: Told) -> str:
    said: Sequence[Said] = told["said"]
    if not said:
        return f'<p class="soft">{html(t("no_alerts"))}</p>'
    zones = {(clock["indicator"], clock["cycle"]): clock["zone"] for clock in told["clocks"]}
    lines = []
    for each in said:
        zone = zones.get((each.indicator, each.cycle), "UTC")
        kind = "overdue" if each.type == "breached" else each.type
        lines.append(
            row(
                (
                    f'<span class="mark {html(kind)}" aria-hidden="true"></span> {html(t("at_risk_word") if each.type == "at_risk" else t.or_as_is(each.type))}',
                    html(t.or_as_is(each.indicator))
                    + (f" · {each.cycle}" if each.cycle > 1 else ""),
                    html(each.threshold),
                    moment(each.reached_at, zone),
                    moment(each.detected_at, zone),
                    _remark(t, each),
                )
            )
        )
    names = ("what", "indicator", "level", "became_true", "detected", "note")
    head = row((html(t(name)) for name in names), "th")
    return f"""<div class="scroll" tabindex="0" role="group" aria-labelledby="alerts-h"><table class="alerts"><thead>{head}</thead><tbody>{"".join(lines)}</tbody></table></div>"""


def _remark(t: Words, said: Said) -> str:
    parts = [said.reason] if said.reason else []
    if said.late:
        parts.insert(0, t("late_word"))
    if said.type == "corrected":
        parts.append(f"{said.before or '–'} → {said.after or t('taken_back')}")
    return f"<bdi>{html('; '.join(parts), 400)}</bdi>"
