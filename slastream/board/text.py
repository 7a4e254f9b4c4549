"""Other people's text, made harmless: what a ticket says is shown, never obeyed.

Escaping for HTML happens where HTML is written. This file knows no HTML but that.
"""

from __future__ import annotations

import re
from html import escape
from urllib.parse import urlsplit

CLIP = 160
"""Characters of a field that the board shows; the ticket system has the rest."""

# Controls, and the marks that turn the direction of text around: a name must not rewrite its row.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)


def plain(text: object, most: int = 2_000) -> str:
    """Return text without invisible marks, clipped; "" for None."""
    if text is None:
        return ""
    found = text if isinstance(text, str) else str(text)
    if len(found) > most:
        found = found[: most - 1] + "…"
    return found if found.isalnum() else _UNSEEN.sub("\ufffd", found)


# What nearly all links look like; the others are taken apart.
_USUAL = re.compile(r"https?://[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]+)?([/?][A-Za-z0-9/?=&#._%~+,;-]*)?")


def safe_url(url: object) -> str:
    """Return a link that may be followed, "" for anything but http and https with a host."""
    if not isinstance(url, str) or len(url) > 2_000:
        return ""
    if _USUAL.fullmatch(url):
        return url
    if _UNSEEN.search(url) or " " in url:
        return ""
    try:
        parts = urlsplit(url)
        return url if parts.scheme in ("http", "https") and parts.hostname else ""
    except ValueError:
        return ""


def html(text: object, most: int = 2_000) -> str:
    """Return text for HTML, in an element or a quoted attribute."""
    return escape(plain(text, most), quote=True)
