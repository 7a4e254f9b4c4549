"""Whether today's topics still keep what an earlier release promised to those who read and write them.

Whoever reads a topic was told to ignore members that it does not know, so members may come. What it does
know must stay as it was:

    what changed                              a reader    the journal, which old records are in too
    a topic, its key or a type of event gone  breaks      breaks
    a member gone                             breaks      breaks
    a member may be absent, was required      breaks      fine
    a member required, might be absent        fine        breaks
    a type more (null is one), a wider bound  breaks      fine
    a type less, a narrower bound             fine        breaks
    a word more in an enum                    breaks      fine
    a word less in an enum                    fine        breaks
    an enum, pattern or format come or gone   breaks      breaks
    other alternatives (anyOf)                breaks      breaks

An enum that says `"x-open": true` is documented to grow. What a change means for people, such as another unit
under the same name, no comparison can see: that is what the version in a topic's name is for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slastream.kafka import topics
from slastream.kafka.topics import Topic

Schema = Mapping[str, Any]

_FLOORS = ("minimum", "exclusiveMinimum", "minLength", "minItems")
_CEILINGS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")
_FIXED = ("const", "pattern", "format", "anyOf", "oneOf", "allOf", "not", "uniqueItems")


@dataclass(frozen=True, slots=True)
class Break:
    """One promise that is not kept any more: of which topic, where in its value, and what changed."""

    topic: str
    where: str
    what: str

    def __str__(self) -> str:
        return (
            f"{self.topic}: {self.where}: {self.what}"
            if self.where
            else f"{self.topic}: {self.what}"
        )


def breaks(before: Path, after: Path | None = None) -> list[Break]:
    """Return how the topic files in `after` (today's unless given) break what those in `before` promised."""
    after = after or topics.folder()
    old, new = _by_name(before), _by_name(after)
    found: list[Break] = []
    for name, one in old.items():
        if name not in new:
            found.append(Break(name, "", "the topic is gone"))
            continue
        found += _topic(one, new[name], before, after)
    return found


def _by_name(folder: Path) -> dict[str, Topic]:
    return {one.name: one for one in topics.load(folder)}


def _topic(old: Topic, new: Topic, before: Path, after: Path) -> Iterator[Break]:
    if old.key != new.key:
        yield Break(old.name, "", f"its key was {old.key}, is {new.key}")
    for kind, file in old.events.items():
        if kind not in new.events:
            yield Break(old.name, kind, "the type of event is gone")
            continue
        # The journal is read by the next release too, with what the last one wrote.
        both = old.short == "tickets"
        comparing = _Comparing(
            topics.schema(file, before), topics.schema(new.events[kind], after), both=both
        )
        for where, what in comparing.all():
            yield Break(old.name, where, what)


class _Comparing:
    """Two schemas, with their definitions, compared member by member."""

    def __init__(self, old: Schema, new: Schema, *, both: bool) -> None:
        self._old, self._new, self._both = old, new, both
        self._seen: set[tuple[str, str, str]] = set()

    def all(self) -> Iterator[tuple[str, str]]:
        return self._compare(self._old, self._new, "")

    def _compare(self, old: Schema, new: Schema, at: str) -> Iterator[tuple[str, str]]:
        if "$ref" in old and "$ref" in new:
            # A definition that holds itself ends here: it was compared where it was met first.
            names = old["$ref"], new["$ref"], at.rpartition(".")[2]
            if names in self._seen:
                return
            self._seen.add(names)
        old, new = _resolved(old, self._old), _resolved(new, self._new)
        where = at or "the value"
        for what in (*self._types(old, new), *self._words(old, new), *self._bounds(old, new)):
            yield where, what
        for name in _FIXED:
            if _inlined(old.get(name), self._old) != _inlined(new.get(name), self._new):
                yield where, f"{name} was {old.get(name)}, is {new.get(name)}"
        yield from self._members(old, new, at)
        for name in ("items", "additionalProperties"):
            was, is_ = old.get(name), new.get(name)
            if isinstance(was, dict) and isinstance(is_, dict):
                yield from self._compare(was, is_, f"{at}[]" if name == "items" else f"{at}.*")
            elif isinstance(was, dict):
                yield where, f"{name} says nothing any more"

    def _members(self, old: Schema, new: Schema, at: str) -> Iterator[tuple[str, str]]:
        ours, theirs = old.get("properties", {}), new.get("properties", {})
        for name, schema in ours.items():
            path = f"{at}.{name}".lstrip(".")
            if name not in theirs:
                yield path, "the member is gone"
            else:
                yield from self._compare(schema, theirs[name], path)
        needed, asked = set(old.get("required", ())), set(new.get("required", ()))
        for name in sorted((needed - asked) & set(theirs)):
            if not self._both:
                yield f"{at}.{name}".lstrip("."), "may be absent, was required"
        for name in sorted(asked - needed):
            if self._both:
                yield f"{at}.{name}".lstrip("."), "is required, might be absent"

    def _types(self, old: Schema, new: Schema) -> Iterator[str]:
        ours, theirs = _types_of(old), _types_of(new)
        gone, more = sorted(ours - theirs), sorted(theirs - ours)
        if (gone and self._both) or (more and not self._both):
            yield f"its type was {_told(ours)}, is {_told(theirs)}"

    def _words(self, old: Schema, new: Schema) -> Iterator[str]:
        ours, theirs = old.get("enum"), new.get("enum")
        if ours is None and theirs is None:
            return
        if ours is None or theirs is None:
            yield (
                "its words were any, are listed"
                if ours is None
                else "its words were listed, are any"
            )
            return
        more = [word for word in theirs if word not in ours]
        gone = [word for word in ours if word not in theirs]
        if more and not self._both and not old.get("x-open"):
            yield f"it may say {', '.join(map(str, more))}"
        if gone and self._both:
            yield f"it may not say {', '.join(map(str, gone))} any more"

    def _bounds(self, old: Schema, new: Schema) -> Iterator[str]:
        for names, widens in ((_FLOORS, -1), (_CEILINGS, 1)):
            for name in names:
                was, is_ = old.get(name), new.get(name)
                if was == is_:
                    continue
                wider = is_ is None or (was is not None and (is_ - was) * widens > 0)
                if wider != self._both:
                    yield f"{name} was {was}, is {is_}"


def _resolved(schema: Schema, root: Schema) -> Schema:
    while "$ref" in schema:
        found: Any = root
        for part in str(schema["$ref"]).removeprefix("#/").split("/"):
            found = found[part]
        schema = {**found, **{name: told for name, told in schema.items() if name != "$ref"}}
    return schema


def _inlined(node: Any, root: Schema) -> Any:
    """Return a part of a schema with its references in place, and without words for people."""
    if isinstance(node, dict):
        resolved = _resolved(node, root)
        return {
            name: _inlined(told, root)
            for name, told in resolved.items()
            if name not in ("description", "examples", "title")
        }
    return [_inlined(each, root) for each in node] if isinstance(node, list) else node


_ANY = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})


def _types_of(schema: Schema) -> frozenset[str]:
    told = schema.get("type")
    types = _ANY if told is None else frozenset([told] if isinstance(told, str) else told)
    return types | {"integer"} if "number" in types else types


def _told(types: frozenset[str]) -> str:
    return (
        "any"
        if types == _ANY
        else " or ".join(sorted(types - ({"integer"} if "number" in types else set())))
    )
