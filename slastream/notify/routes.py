"""The file of routes as values. All mistakes of it are told at once, each with its line.

    routes:
      - name: night-desk
        kind: pagerduty
        routing_key: {file: secrets/pagerduty}
        when: {level: breached, priority: [P1, P2]}
      - {name: channel, kind: slack, url: {env: SLACK_URL}, when: {tenant: acme-msp}}

A secret is in a file of its own or in the environment; in this file only as `{literal: ...}`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yaml import MappingNode, Node

from slastream.book import words
from slastream.book.nodes import BookErrors, Reader, Wrong, compose, nearest
from slastream.core.errors import Misconfigured
from slastream.core.instant import MINUTE, SECOND, Millis
from slastream.core.policy import fold_text
from slastream.notify.credentials import Credentials
from slastream.notify.receivers import KINDS, Kind
from slastream.notify.route import ASKED, Route
from slastream.notify.secret import Secret

FIELDS = (
    "name", "kind", "url", "when", "rate", "burst", "timeout", "give_up_after", "tries", "start",
    "simulated", "ca",
)  # fmt: skip
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
_LEVELS = ("at_risk", "breached")
_INDICATORS = ("response", "plan", "resolution")


def load(path: Path, environ: Mapping[str, str] | None = None) -> list[Route]:
    """Return the routes of a file. Raises `Misconfigured`, or `BookErrors` with all its mistakes."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Misconfigured(f"cannot be read: {error.strerror}", where=str(path)) from error
    problems: list[Misconfigured] = []
    reader = Reader(str(path), problems)
    root = compose(str(path), content)
    fields = reader.fields(root, "", ("routes",))
    routes: list[Route] = []
    if "routes" in fields:
        lines: dict[str, str] = {}
        for at, node in enumerate(reader.items(fields["routes"], "routes")):
            given = os.environ if environ is None else environ
            one = _Reading(reader, node, f"routes[{at}]", path.parent, given).route(lines)
            if one is not None:
                routes.append(one)
        if not lines and not problems:
            reader.wrong(fields["routes"], "routes", "there is no route", "see docs/notify.md")
    elif isinstance(root, MappingNode):
        reader.wrong(root, "", "routes: is missing", "see docs/notify.md for a file of routes")
    if problems:
        problems.sort(key=_line)
        raise BookErrors(problems, "the file of routes")
    return routes


@dataclass
class _Reading:
    """One route of the file, and where in it we are."""

    reader: Reader
    node: Node
    key: str
    folder: Path
    environ: Mapping[str, str]

    @property
    def _credentials(self) -> Credentials:
        return Credentials(self.reader, self.key, self.folder, self.environ)

    def route(self, lines: dict[str, str]) -> Route | None:
        """Read the route; None after a mistake. `lines` are the names that were there before."""
        reader, before = self.reader, len(self.reader.problems)
        kinds = [each.fields for each in KINDS.values()]
        known = dict.fromkeys((*FIELDS, *(name for names in kinds for name in names)))
        fields = reader.fields(self.node, self.key, tuple(known))
        if not isinstance(self.node, MappingNode):
            return None
        name = self._name(fields, lines)
        label = self._required(fields, "kind")
        kind_name = None if label is None else reader.choice(label, self._at("kind"), KINDS)
        if kind_name is None:
            return None
        kind = KINDS[kind_name]
        for other in fields:
            if other not in (*FIELDS, *kind.fields):
                hint = f"known there: {', '.join((*FIELDS, *kind.fields))}"
                reader.wrong(fields[other], self._at(other), f"{kind_name} has no {other}:", hint)
        values = self._values(fields, kind_name, kind)
        if len(reader.problems) > before or name is None:
            return None
        return Route(name=name, kind=kind_name, **values)

    def _values(self, fields: dict[str, Node], kind_name: str, kind: Kind) -> dict[str, Any]:
        url, shown = self._url(fields, kind_name, kind)
        rate = self._number(fields, "rate") or kind.rate
        burst = self._number(fields, "burst")
        if burst is None:
            burst = kind.burst if "rate" not in fields else max(1.0, rate)
        values: dict[str, Any] = {
            "url": url,
            "shown": shown,
            "secrets": self._secrets(fields, kind),
            "when": self._when(fields.get("when")),
            "rate": rate,
            "burst": burst,
            "timeout": self._length(fields, "timeout", 100, 5 * MINUTE),
            "repeat": self._length(fields, "repeat", SECOND, 60 * MINUTE),
            "give_up_after": self._length(fields, "give_up_after", SECOND, None),
            "tries": self._count(fields, "tries"),
            "start": self._choice(fields, "start", ("now", "beginning")),
            "simulated": self._boolean(fields, "simulated"),
            "cleared": self._boolean(fields, "cleared"),
            "ca_file": self._file(fields, "ca"),
        }
        if "authorization" in fields:
            values["authorization"] = self._credentials.secret(
                fields["authorization"], "authorization"
            )
        return {name: value for name, value in values.items() if value is not None}

    # -- who it is

    def _name(self, fields: dict[str, Node], lines: dict[str, str]) -> str | None:
        node = self._required(fields, "name")
        name = None if node is None else self.reader.word(node, self._at("name"), _route_name)
        if name is None or node is None:
            lines.setdefault(self.key, "")
            return None
        if name in lines:
            message = f"there is a route {name!r} already, at {lines[name]}"
            self.reader.wrong(node, self._at("name"), message, "its name is its place in Kafka")
            return None
        lines[name] = self.reader.where(node)
        return name

    def _url(
        self, fields: dict[str, Node], kind_name: str, kind: Kind
    ) -> tuple[Secret | None, str | None]:
        if "url" not in fields and kind.url:
            return Secret(kind.url), kind.url
        node = self._required(fields, "url")
        return (None, None) if node is None else self._credentials.url(node, kind_name, kind)

    def _secrets(self, fields: dict[str, Node], kind: Kind) -> tuple[Secret, ...] | None:
        if "routing_key" in kind.fields:
            node = self._required(fields, "routing_key")
            key = None if node is None else self._credentials.routing_key(node)
            return None if key is None else (key,)
        if "secret" in kind.fields:
            node = self._required(fields, "secret")
            return None if node is None else self._credentials.signing(node)
        return None

    # -- what it is told

    def _when(self, node: Node | None) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for name, name_node, value in (
            [] if node is None else self.reader.pairs(node, self._at("when"))
        ):
            inner = self._at(f"when.{name}")
            if name not in ASKED:
                hint = nearest(name, ASKED) or f"one of {', '.join(ASKED)}"
                self.reader.wrong(name_node, inner, f"alerts have no {name!r}", hint)
                continue
            few = {"level": _LEVELS, "indicator": _INDICATORS}.get(name)
            items = self.reader.one_or_more(value, inner)
            told = [
                self.reader.text(item, inner)
                if few is None
                else self.reader.choice(item, inner, few)
                for item in items
            ]
            values = tuple(dict.fromkeys(fold_text(text) for text in told if text is not None))
            if values:
                found[name] = values
            elif not items:
                self.reader.wrong(value, inner, "an empty list lets nothing through")
        return found

    # -- plain values

    def _at(self, name: str) -> str:
        return f"{self.key}.{name}"

    def _wrong(self, node: Node, name: str, message: str, hint: str | None = None) -> None:
        self.reader.wrong(node, self._at(name), message, hint)

    def _required(self, fields: dict[str, Node], name: str) -> Node | None:
        if name not in fields:
            self.reader.wrong(self.node, self.key, f"a route needs a {name}:")
        return fields.get(name)

    def _number(self, fields: dict[str, Node], name: str) -> float | None:
        node = fields.get(name)
        return None if node is None else self.reader.word(node, self._at(name), _positive)

    def _count(self, fields: dict[str, Node], name: str) -> int | None:
        node = fields.get(name)
        value = None if node is None else self.reader.integer(node, self._at(name))
        if value is not None and node is not None and value < 1:
            self._wrong(node, name, "must be 1 or more")
        return value

    def _length(
        self, fields: dict[str, Node], name: str, least: Millis, most: Millis | None
    ) -> Millis | None:
        node = fields.get(name)
        value = None if node is None else self.reader.word(node, self._at(name), words.duration)
        if node is None or value is None:
            return None
        if value < least or (most is not None and value > most):
            limits = f"at least {least / 1000:g} s"
            limits += "" if most is None else f", at most {most / 1000:g} s"
            self._wrong(node, name, f"is out of its limits: {limits}")
        return value

    def _boolean(self, fields: dict[str, Node], name: str) -> bool | None:
        node = fields.get(name)
        return None if node is None else self.reader.boolean(node, self._at(name))

    def _choice(self, fields: dict[str, Node], name: str, known: tuple[str, ...]) -> str | None:
        node = fields.get(name)
        return None if node is None else self.reader.choice(node, self._at(name), known)

    def _file(self, fields: dict[str, Node], name: str) -> Path | None:
        node = fields.get(name)
        text = None if node is None else self.reader.text(node, self._at(name))
        if node is None or text is None:
            return None
        path = self.folder / Path(text).expanduser()
        if not path.is_file():
            self._wrong(node, name, f"there is no file {text!r}")
        return path


def _line(problem: Misconfigured) -> int:
    return int((problem.where or ":0").rpartition(":")[2])


def _route_name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise Wrong(
            f"{text!r} cannot name a route", "lower case letters, digits and dashes, at most 40"
        )
    return text


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise Wrong(f"{text!r} is no number") from None
    if not 0 < value < 1e6:
        raise Wrong(f"{text!r} is no rate", "requests a second, above 0")
    return value
