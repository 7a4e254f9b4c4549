"""From a file or folder to books. This file knows which files make a book, and in which order.

A folder may hold the books of several tenants, several versions of one, and a book that is cut
into files: files of one tenant with the same `effective_from` (or none of their own) are one book.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from types import MappingProxyType

from yaml import MappingNode, Node

from slastream.book import calendars, mappings, promises
from slastream.book.nodes import BookErrors, Reader, Wrong, compose
from slastream.book.publish import version_of
from slastream.core.calendar import Calendar
from slastream.core.errors import Misconfigured
from slastream.core.instant import Instant, to_datetime
from slastream.core.policy import Book, Options, Policy, SourceMapping

API_VERSION = "slastream/v1"

FIELDS = (
    "apiVersion", "effective_from", "tenant", "calendars", "sources", "policies", "options",
)  # fmt: skip

FEED_YEARS = 25
"""An ICS feed's endless recurrences are laid out until so many years after `effective_from`."""


@dataclass
class Piece:
    """One file: its nodes, and the two lines that say which book it belongs to."""

    reader: Reader
    root: Node
    fields: dict[str, Node]
    folder: Path
    tenant: str
    effective_from: Instant | None


@dataclass
class Places:
    """Where things stand in the files, for the linter."""

    calendars: dict[str, str] = field(default_factory=dict)
    policies: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    words: dict[str, mappings.Words] = field(default_factory=dict)
    zoneless: set[str] = field(default_factory=set)
    """Calendars that name no time zone, themselves or through what they extend."""
    declared: set[str] = field(default_factory=set)
    extended: set[str] = field(default_factory=set)
    file: str = ""


@dataclass
class Loaded:
    """A book, and where its parts stand in the files."""

    book: Book
    places: Places


def read(path: str | Path) -> list[Loaded]:
    """Return the books of a YAML file or of all YAML files of a folder, by tenant and version.

    Raises `BookErrors` with every mistake that was found, each with its file, line and key.
    """
    problems: list[Misconfigured] = []
    pieces = [
        piece
        for name, file in _files(Path(path))
        if (piece := _piece(name, file, problems)) is not None
    ]
    loaded = [book for group in _groups(pieces) if (book := _book(group, problems)) is not None]
    if problems:
        raise BookErrors(problems)
    return loaded


def _files(path: Path) -> list[tuple[str, Path]]:
    """Return the files with the names by which messages call them.

    What begins with a dot is passed over: a mounted Kubernetes ConfigMap holds every file twice,
    once in a folder `..data`.
    """
    if path.is_dir():
        found = sorted(
            file
            for file in path.rglob("*")
            if file.suffix in (".yaml", ".yml")
            and not any(part.startswith(".") for part in file.relative_to(path).parts)
            and file.is_file()
        )
        if not found:
            raise Misconfigured("the folder holds no .yaml file", where=str(path))
        return [(str(path / file.relative_to(path)), file) for file in found]
    return [(str(path), path)]


def _piece(name: str, file: Path, problems: list[Misconfigured]) -> Piece | None:
    try:
        content = file.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        problems.append(Misconfigured(f"cannot read the book: {reason}", where=name))
        return None
    try:
        root = compose(name, content)
    except Misconfigured as problem:
        problems.append(problem)
        return None
    return head(Reader(name, problems), root, file.parent)


def head(reader: Reader, root: Node, folder: Path) -> Piece | None:
    """Read which book a file belongs to; None where it does not say so."""
    if not isinstance(root, MappingNode):
        reader.wrong(root, "", "this is no policy book", "it starts with apiVersion: slastream/v1")
        return None
    shown = MappingNode(
        "mapping",
        [pair for pair in root.value if not str(pair[0].value).startswith("x-")],
        root.start_mark,
        root.end_mark,
    )
    fields = reader.fields(shown, "", FIELDS)
    if "apiVersion" not in fields:
        reader.wrong(root, "", "apiVersion: is missing", f"write apiVersion: {API_VERSION}")
    else:
        reader.choice(fields["apiVersion"], "apiVersion", (API_VERSION,))
    tenant = None
    if "tenant" in fields:
        tenant = reader.word(fields["tenant"], "tenant", _tenant)
    else:
        reader.wrong(root, "", "tenant: is missing", "name the company whose promises these are")
    effective = None
    if "effective_from" in fields:
        effective = reader.instant(fields["effective_from"], "effective_from")
        if effective is None:
            return None
    return None if tenant is None else Piece(reader, root, fields, folder, tenant, effective)


def _tenant(text: str) -> str:
    if len(text) > 100 or text != text.strip() or "/" in text or not text.isprintable():
        raise Wrong(
            f"{text!r} cannot name a tenant", "up to 100 characters without a slash, as in acme-msp"
        )
    return sys.intern(text)


def _groups(pieces: list[Piece]) -> list[list[Piece]]:
    """Return the pieces of each book together."""
    tenants: dict[str, list[Piece]] = {}
    for piece in pieces:
        tenants.setdefault(piece.tenant, []).append(piece)
    groups = []
    for tenant in sorted(tenants):
        versions: dict[Instant, list[Piece]] = {}
        undated = []
        for piece in tenants[tenant]:
            if piece.effective_from is None:
                undated.append(piece)
            else:
                versions.setdefault(piece.effective_from, []).append(piece)
        if len(versions) == 1:
            (only,) = versions.values()
            only += undated
            only.sort(key=lambda piece: piece.reader.name)
        else:
            hint = "write effective_from: 2026-01-01T00:00:00Z"
            message = "effective_from: is missing"
            if versions:
                message += f", and {tenant} has {len(versions)} versions here"
            for piece in undated:
                piece.reader.wrong(piece.root, "", message, hint)
        groups += [versions[at] for at in sorted(versions)]
    return groups


def _book(group: list[Piece], problems: list[Misconfigured]) -> Loaded | None:
    """Read one book out of its pieces. Calendars come first, since policies name them."""
    before = len(problems)
    effective = next(it.effective_from for it in group if it.effective_from is not None)
    places = Places(file=group[0].reader.name)
    options = _options(group)
    found, always = _calendars(group, effective, places)
    sources = _sources(group, places)
    policies = _policies(group, options, found, always, places)
    if len(problems) > before:
        return None
    if any(policy.calendar == calendars.ALWAYS for policy in policies):
        found.setdefault(calendars.ALWAYS, Calendar(calendars.ALWAYS, always=True))
    book = Book(
        tenant=group[0].tenant,
        effective_from=effective,
        version="",
        calendars=MappingProxyType({name: it for name, it in found.items() if it is not None}),
        policies=tuple(policies),
        sources=MappingProxyType(sources),
        extra=MappingProxyType({"options": options}),
    )
    return Loaded(replace(book, version=version_of(book)), places)


def _options(group: list[Piece]) -> Options:
    """Read the options of the whole book, which one of its files may hold."""
    options = Options()
    first: Piece | None = None
    for piece in group:
        if (node := piece.fields.get("options")) is None:
            continue
        if first is not None:
            message = f"the book has options: already, in {first.reader.name}"
            piece.reader.wrong(node, "options", message)
            continue
        first = piece
        options = promises.read_options(piece.reader, node, "options", options)
    return options


def _calendars(
    group: list[Piece], effective: Instant, places: Places
) -> tuple[dict[str, Calendar | None], set[str]]:
    """Return the calendars, None for one with a mistake, and the names of those always open."""
    drafts: dict[str, calendars.Draft] = {}
    for piece in group:
        if (node := piece.fields.get("calendars")) is None:
            continue
        for name, name_node, value in piece.reader.pairs(node, "calendars"):
            key = f"calendars.{name}"
            if name in drafts:
                message = f"there is a calendar {name!r} already, at {places.calendars[name]}"
                piece.reader.wrong(name_node, key, message)
                continue
            drafts[name] = calendars.draft(piece.reader, name, value, key, piece.folder)
            places.calendars[name] = piece.reader.where(name_node)
    day = to_datetime(effective).date()
    last = date.max if day.year > 9000 else day + timedelta(days=366 * FEED_YEARS)
    done = calendars.assemble(drafts, last)
    places.declared = set(drafts)
    places.extended = {draft.extends for draft in drafts.values() if draft.extends}
    for name, draft in drafts.items():
        at = draft
        while at.zone is None and at.extends in drafts and name in done:
            at = drafts[at.extends]
        if at.zone is None and not at.always:
            places.zoneless.add(name)
    always = {calendars.ALWAYS, *(name for name, it in drafts.items() if it.always)}
    found: dict[str, Calendar | None] = {name: done.get(name) for name in drafts}
    return found, always


def _sources(group: list[Piece], places: Places) -> dict[str, SourceMapping]:
    found: dict[str, SourceMapping] = {}
    for piece in group:
        if (node := piece.fields.get("sources")) is None:
            continue
        for name, name_node, value in piece.reader.pairs(node, "sources"):
            if name in found:
                message = f"there is a source {name!r} already, at {places.sources[name]}"
                piece.reader.wrong(name_node, f"sources.{name}", message)
                continue
            found[name], places.words[name] = mappings.read_source(
                piece.reader, value, f"sources.{name}"
            )
            places.sources[name] = piece.reader.where(name_node)
    return found


def _policies(
    group: list[Piece],
    options: Options,
    known: dict[str, Calendar | None],
    always: set[str],
    places: Places,
) -> list[Policy]:
    names = {**known, calendars.ALWAYS: None}
    found: list[Policy] = []
    for piece in group:
        if (node := piece.fields.get("policies")) is None:
            continue
        for at, item in enumerate(piece.reader.items(node, "policies")):
            key = f"policies[{at}]"
            policy = promises.read_policy(piece.reader, item, key, options, names, always)
            if policy is None:
                continue
            if policy.name in places.policies:
                message = f"there is a policy {policy.name!r} already, at "
                piece.reader.wrong(item, f"{key}.name", message + places.policies[policy.name])
                continue
            places.policies[policy.name] = piece.reader.where(item)
            found.append(policy)
    return found
