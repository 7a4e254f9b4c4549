# ruff: noqa: E501  # HTML stands as it is sent
"""The frame of every page, and the page Now. HTML with every text escaped; no script or style inside.

What changes on Now is written by its script from server-sent events.
"""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from slastream.board.card import FACETS
from slastream.board.text import html
from slastream.board.words import Words

COLUMNS = (("overdue",), ("at_risk", "hour"), ("today", "paused", "later"))
SIGNS = {
    "sound": "M3 8v4h3l4 3.5v-11L6 8zM13 7.2a4 4 0 0 1 0 5.6M15.3 5a7 7 0 0 1 0 10",
    "notify": "M5 13.5V9a5 5 0 0 1 10 0v4.5l1.3 1.5H3.7zM8.4 17.2h3.2",
    "full": "M3.5 7.5v-4h4M12.500 3.5h4v4M16.500 12.5v4h-4M7.500 16.500h-4v-4",
    "theme": "M16.5 11.8A7 7 0 1 1 8.2 3.500a5.600 5.600 0 0 0 8.300 8.300z",
}
"""Drawn, not written: not every machine has a font with such characters."""
TILES = ("overdue", "at_risk", "hour", "today", "paused")


def page(
    t: Words, name: str, body: str, *, title: str, static: str, user: str = "", back: str = "/",
    stream: str = "",
) -> str:  # fmt: skip
    """Return a whole page. `static` is what the addresses of scripts and styles end in."""
    tabs = "".join(
        f'<a href="{href}"{" aria-current=page" if name == key else ""}>{html(t(key))}</a>'
        for key, href in (("now", "/"), ("trends", "/trends"))
    )
    script = "now" if name == "now" else "part"
    skip = t("skip") if name == "now" else t("skip_main")
    who = f'<span class="user"><bdi>{html(user, 60)}</bdi></span>' if user else ""
    return f"""<!doctype html>
<html lang="{t.language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{html(title)}</title>
<link rel="icon" href="/static/icon.svg?{static}" type="image/svg+xml">
<link rel="stylesheet" href="/static/board.css?{static}">
<script src="/static/theme.js?{static}"></script>
<script src="/static/board.js?{static}" defer></script>
<script src="/static/{script}.js?{static}" defer></script>
</head>
<body data-page="{name}" data-stream="{html(stream)}">
<script type="application/json" id="words">{data(t.on_page())}</script>
<a class="skip" href="#main">{html(skip)}</a>
<header class="bar">
<a class="brand" href="/"><span class="logo" aria-hidden="true"></span>slastream</a>
<nav aria-label="{html(t("views"))}">{tabs}</nav>
<p class="state" id="state"><span class="lamp" aria-hidden="true"></span><span id="state-text">{html(t("loading"))}</span></p>
<p class="clock"><time id="clock"></time><span id="zone"></span></p>
<div class="tools">{_tools(t, name)}{who}</div>
</header>
<div class="banner" id="banner" role="alert" hidden></div>
{body}
<div class="sr" id="says" role="status" aria-live="polite"></div>
</body>
</html>
"""


def _tools(t: Words, name: str) -> str:
    names = ("sound", "notify", "full", "theme") if name == "now" else ("theme",)
    parts = [
        f'<button type="button" id="{key}" title="{html(t(key))}" aria-label="{html(t(key))}"'
        + (' aria-pressed="false"' if key in ("sound", "notify") else "")
        + f'><svg viewBox="0 0 20 20" aria-hidden="true"><path d="{SIGNS[key]}"/></svg></button>'
        for key in names
    ]
    parts.append(
        f'<a class="language" id="language" href="?lang={t.other}" hreflang="{t.other}"'
        f' lang="{t.other}">{html(t("language"))}</a>'
    )
    return "".join(parts)


def now_body(t: Words) -> str:
    """Return the page Now before anything is known: its loading state."""
    tiles = "".join(
        f'<li><a class="tile {name}" href="#g-{name}"><span class="mark {name}" aria-hidden="true">'
        f'</span><span class="many" data-count="{name}">–</span> <span class="name">{html(t(name))}'
        "</span></a></li>"
        for name in TILES
    )
    groups = "".join(
        f'<div class="column">{"".join(_group(t, name) for name in names)}</div>'
        for names in COLUMNS
    )
    return f"""<main id="main" tabindex="-1" class="now loading">
<h1 class="sr">{html(t("title"))}: {html(t("now"))}</h1>
<form class="filters" id="filters" role="search" aria-label="{html(t("filters"))}">
{"".join(_select(t, name) for name in FACETS)}
<label class="search"><span>{html(t("search"))}</span><input type="search" name="q" autocomplete="off" spellcheck="false" maxlength="100"></label>
<button type="button" id="clear">{html(t("clear"))}</button>
</form>
<ul class="tiles" aria-label="{html(t("now"))}">{tiles}</ul>
<p class="empty-all" id="empty-all" hidden>{html(t("empty_all"))}</p>
<div class="groups" id="groups">{groups}</div>
<section class="news" id="news" aria-labelledby="news-title" hidden><h2 id="news-title">{html(t("news"))}</h2><ol></ol></section>
</main>"""


def _select(t: Words, name: str) -> str:
    return (
        f'<label data-facet="{name}"><span>{html(t(name))}</span><select name="{name}">'
        f'<option value="">{html(t("any"))}</option></select></label>'
    )


def _group(t: Words, name: str) -> str:
    bones = '<li class="bone" aria-hidden="true"></li>' * 3
    return f"""<section class="group {name}" id="g-{name}" aria-labelledby="h-{name}">
<h2 id="h-{name}"><span class="mark {name}" aria-hidden="true"></span>{html(t(name))} <span class="count" data-count="{name}"></span></h2>
<ol class="rows" data-group="{name}">{bones}</ol>
<p class="empty" hidden>{html(t(f"empty_{name}"))}</p>
<button type="button" class="more" hidden>{html(t("more"))}</button>
</section>"""


def message_body(t: Words, title: str, text: str) -> str:
    """Return a page that says one thing: an error, or that something is not there."""
    return f"""<main id="main" tabindex="-1" class="message"><h1>{html(title)}</h1><p>{html(text)}</p>
<p><a href="/">{html(t("back_to_now"))}</a></p></main>"""


def data(value: object) -> str:
    """Return JSON that stands inside a script element and cannot end it."""
    text = orjson.dumps(value).decode()
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def when(text: str | None, zone: str, calendar_time: str) -> str:
    """Return an instant for people: the calendar's local time; scripts put the viewer's before it."""
    if text is None:
        return "–"
    return f'<time datetime="{html(text)}" data-zone="{html(zone)}">{html(calendar_time)}</time>'


def row(cells: Iterable[str], tag: str = "td") -> str:
    """Return a table row of cells that are HTML already."""
    return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>"
