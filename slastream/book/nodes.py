"""YAML text as a tree whose every node knows its line, and a reader that collects what is wrong.

This file knows YAML and how to complain; it does not know what a calendar or a policy is.

Plain scalars are read by the YAML 1.2 rules: `NO` is Norway, `on` is a word, `08:30` is text and
not 510. Tags, `<<` and anchors that contain themselves are refused.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable
from typing import Any, TypeVar

import yaml
from yaml import MappingNode, Node, ScalarNode, SequenceNode
from yaml.cyaml import CParser  # type: ignore[attr-defined]

from slastream.core.errors import Misconfigured, Rejected
from slastream.core.instant import Instant, parse_instant

T = TypeVar("T")

SHOWN = 50
"""So many mistakes are printed; the others are counted."""

_TAGS = {ScalarNode: ("text", "plain"), MappingNode: ("mapping",), SequenceNode: ("list",)}


class BookErrors(Misconfigured):
    """Everything that is wrong with a book, each mistake with its file, line and key.

    `problems` holds them in the order of the files; `what` names a file that is no book.
    """

    def __init__(self, problems: list[Misconfigured], what: str = "the policy book") -> None:
        lines = [str(problem) for problem in problems[:SHOWN]]
        if len(problems) > SHOWN:
            lines.append(f"and {len(problems) - SHOWN} more")
        many = f"{len(problems)} mistakes in {what}:\n  "
        super().__init__(lines[0] if len(problems) == 1 else many + "\n  ".join(lines))
        self.problems = problems


class Wrong(ValueError):
    """A word that cannot be read: `args[0]` says why, `hint` what to write instead."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class _Composer(CParser):
    """libyaml's parser, told only whether a scalar is plain. It resolves no types."""

    def resolve(self, kind: type[Node], value: Any, implicit: Any) -> str:
        if kind is ScalarNode:
            return "plain" if implicit[0] else "text"
        return "mapping" if kind is MappingNode else "list"

    def descend_resolver(self, parent: Any, index: Any) -> None:
        """Nothing: types do not depend on the path."""

    def ascend_resolver(self) -> None:
        """Nothing: types do not depend on the path."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return a hint with the known name that `word` was probably meant to be, or None."""
    names = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), names, n=1, cutoff=0.6)
    return f"did you mean {names[close[0]]!r}?" if close else None


def compose(name: str, content: bytes) -> Node:
    """Return the root node of a YAML document; raises `Misconfigured` where it is none."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Misconfigured("this is not UTF-8 text", where=f"{name}:{line}") from None
    try:
        root = _Composer(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        raise _syntax(name, text, error) from None
    except yaml.YAMLError as error:
        message = " ".join(str(getattr(error, "reason", error)).split())
        at = getattr(error, "position", None)
        line = text.count("\n", 0, at) + 1 if isinstance(at, int) else 1
        raise Misconfigured(f"not YAML: {message}", where=f"{name}:{line}") from None
    if root is None:
        raise Misconfigured("the file is empty", where=f"{name}:1")
    if "*" in text:
        _refuse_loops(name, root)
    return root


def _syntax(name: str, text: str, error: yaml.MarkedYAMLError) -> Misconfigured:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    lines = text.splitlines()
    shown = lines[line - 1] if line <= len(lines) else ""
    blanks = shown[: len(shown) - len(shown.lstrip())]
    hint = None
    if "\t" in blanks:
        hint = "YAML is indented with spaces, never with tabs"
    elif error.problem and "another document" in error.problem:
        hint = "one book a file: cut it at the `---`"
    elif error.problem and "mapping values" in error.problem:
        hint = "quote text that holds a colon and a blank"
    parts = (error.context, error.problem)
    message = ", ".join(part for part in parts if part)
    return Misconfigured(f"not YAML: {message}", where=f"{name}:{line}", hint=hint)


def _refuse_loops(name: str, root: Node) -> None:
    """Raise for an anchor that contains itself. Iterative: nesting is as deep as the text likes."""
    open_now: set[int] = set()
    done: set[int] = set()
    stack: list[tuple[Node, bool]] = [(root, False)]
    while stack:
        node, leaving = stack.pop()
        if leaving:
            open_now.discard(id(node))
            done.add(id(node))
        elif id(node) in open_now:
            raise Misconfigured(
                "the anchor contains itself", where=f"{name}:{node.start_mark.line + 1}"
            )
        elif id(node) not in done and not isinstance(node, ScalarNode):
            open_now.add(id(node))
            stack.append((node, True))
            for child in node.value:
                parts = child if isinstance(child, tuple) else (child,)
                stack += [(part, False) for part in parts]


class Reader:
    """Reads the nodes of one file. A mistake is noted and read over, so that all are found.

    Every method takes a node and its dotted key, and returns None (or nothing) after a mistake.
    """

    def __init__(self, name: str, problems: list[Misconfigured]) -> None:
        self.name = name
        self.problems = problems

    def where(self, node: Node) -> str:
        return f"{self.name}:{node.start_mark.line + 1}"

    def wrong(self, node: Node, key: str, message: str, hint: str | None = None) -> None:
        self.problems.append(
            Misconfigured(message, where=self.where(node), key=key or None, hint=hint)
        )

    def pairs(self, node: Node, key: str) -> list[tuple[str, Node, Node]]:
        """Return (name, node of the name, value) of a mapping with names of the user's own."""
        if not isinstance(node, MappingNode) or node.tag != "mapping":
            self._expected(node, key, "a mapping (`name: value`)")
            return []
        found: dict[str, tuple[str, Node, Node]] = {}
        for name_node, value in node.value:
            name = name_node.value
            if not isinstance(name_node, ScalarNode) or not name.strip():
                self.wrong(name_node, key, "a key must be a word")
            elif name in found:
                first = found[name][1].start_mark.line + 1
                message = f"the key {name!r} is written twice (first on line {first})"
                self.wrong(name_node, _join(key, name), message)
            else:
                found[name] = (name, name_node, value)
        return list(found.values())

    def fields(self, node: Node, key: str, known: Collection[str]) -> dict[str, Node]:
        """Return the values of a mapping whose keys are ours; an unknown one is a mistake."""
        found = {}
        for name, name_node, value in self.pairs(node, key):
            if name in known:
                found[name] = value
            elif name == "<<":
                hint = "calendars have `extends:`; name anything else again"
                self.wrong(name_node, _join(key, name), "merge keys are not used here", hint)
            else:
                hint = nearest(name, known) or f"known here: {', '.join(known)}"
                self.wrong(name_node, _join(key, name), f"unknown key {name!r}", hint)
        return found

    def items(self, node: Node, key: str) -> list[Node]:
        """Return the nodes of a list."""
        if isinstance(node, SequenceNode) and node.tag == "list":
            return node.value  # type: ignore[no-any-return]
        self._expected(node, key, "a list")
        return []

    def one_or_more(self, node: Node, key: str) -> list[Node]:
        """Return the nodes of a list, or the one node that stands for a list of one."""
        return [node] if isinstance(node, ScalarNode) else self.items(node, key)

    def text(self, node: Node, key: str) -> str | None:
        """Return a scalar as it is written; nothing (`~`, `null`) is a mistake."""
        if not isinstance(node, ScalarNode) or is_null(node) or not node.value.strip():
            self._expected(node, key, "text")
            return None
        if node.tag not in _TAGS[ScalarNode]:
            self.wrong(node, key, f"YAML tags such as {node.tag!r} are not used here")
            return None
        return node.value  # type: ignore[no-any-return]

    def word(self, node: Node, key: str, parse: Callable[[str], T]) -> T | None:
        """Return a scalar as `parse` reads it; its `Wrong` becomes a mistake with a place."""
        text = self.text(node, key)
        if text is None:
            return None
        try:
            return parse(text)
        except Wrong as wrong:
            self.wrong(node, key, wrong.args[0], wrong.hint)
            return None

    def choice(self, node: Node, key: str, known: Collection[str]) -> str | None:
        """Return one of a few words."""
        text = self.text(node, key)
        if text is None or text in known:
            return text
        hint = nearest(text, known) or f"one of {', '.join(known)}"
        self.wrong(node, key, f"{text!r} is not known here", hint)
        return None

    def boolean(self, node: Node, key: str) -> bool | None:
        text = self.text(node, key)
        if text in ("true", "false") and node.tag == "plain":
            return text == "true"
        if text is not None:
            self.wrong(node, key, f"{text!r} is neither true nor false", "write true or false")
        return None

    def integer(self, node: Node, key: str) -> int | None:
        text = self.text(node, key)
        if text is None:
            return None
        digits = text.removeprefix("-")
        if digits.isascii() and digits.isdigit() and len(digits) < 16:
            return int(text)
        self.wrong(node, key, f"{text!r} is no whole number")
        return None

    def instant(self, node: Node, key: str) -> Instant | None:
        text = self.text(node, key)
        if text is None:
            return None
        try:
            return parse_instant(text)
        except Rejected as rejected:
            hint = "write it in full, such as 2026-01-01T00:00:00Z or ...+02:00"
            self.wrong(node, key, rejected.detail, hint)
            return None

    def _expected(self, node: Node, key: str, what: str) -> None:
        if node.tag.startswith(("!", "tag:")):
            self.wrong(node, key, f"YAML tags such as {node.tag!r} are not used here")
            return
        kinds: dict[type[Node], str] = {MappingNode: "a mapping", SequenceNode: "a list"}
        kind = kinds.get(type(node))
        if kind is None:
            kind = "nothing" if is_null(node) or not node.value.strip() else repr(node.value)
        self.wrong(node, key, f"expected {what}, found {kind}")


def is_null(node: Node) -> bool:
    """Whether a node is YAML's nothing: `null`, `~` or an empty value."""
    return node.tag == "plain" and node.value in ("", "~", "null", "Null", "NULL")


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name
