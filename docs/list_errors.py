"""Every error that slastream raises on purpose, as its code says it: the list that docs/errors.md must hold.

`python -m docs.list_errors` prints what the page lacks, and what it has that the code no longer says. Reads the
source and imports nothing of it. What varies in a message is an ellipsis here.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "slastream"
PAGE = ROOT / "docs" / "errors.md"

GAP = "…"

_WORD = re.compile(r"[a-z]+(_[a-z]+)*")


class Said(NamedTuple):
    """One message: where it is in the code, what it says, and what it says to do."""

    place: str
    text: str
    hint: str


_RAISED = {
    "Misconfigured": (0, "hint"),
    "InvariantBroken": (0, ""),
    "Problem": (0, "hint"),
    "_refused": (0, "hint"),
}
"""What makes an error -> which argument is its message, and the name of its hint."""

_HELPED = {
    ("slastream/kafka/security.py", "_wrong"): 1,
    ("slastream/gateway/endpoints.py", "wrong"): 1,
}
"""Helpers of single files that take the place first and the message second."""


def messages() -> Iterator[Said]:
    """Yield the messages of operators' mistakes and of bugs; those made of another's words are left out."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        for call in _calls(path):
            called = _called(call)
            at = _HELPED.get((name, called), _RAISED.get(called, (None, ""))[0])
            if at is None or len(call.args) <= at:
                continue
            hint = next((word.value for word in call.keywords if word.arg == "hint"), None)
            if hint is None and len(call.args) > at + 1:
                hint = call.args[at + 1]
            text = _text(call.args[at])
            if text is not None and text.strip(GAP + ": "):
                yield Said(f"{name}:{call.lineno}", text.replace("`", "'"), _text(hint) or "")


_REFUSED = ("Rejected", "_one_of", "publish_rejected", "_reject")
"""What refuses data under a word that is one of its arguments."""

_COMPOSED = {
    "no_source", "no_tenant", "bad_source", "bad_tenant",
    "receiver_refused", "receiver_failing", "receiver_away", "not_an_alert", "bug",
}  # fmt: skip
"""Words that are put together (`no_{name}`), or handed on through a variable."""

RELAYS = {
    "slastream/engine/step.py", "slastream/sources/canonical.py", "slastream/sources/table.py",
    "slastream/stream/ingest.py",
}  # fmt: skip
"""Files in which a reason is no literal: it is another error's, or one of `_COMPOSED`."""


def reasons() -> tuple[set[str], set[str]]:
    """Return the words under which data is refused, and the files where such a word is no literal.

    They are `sla-reason` of a dead letter and `reason` of a metric.
    """
    found, elsewhere = set(_COMPOSED), set()
    for path in PACKAGE.rglob("*.py"):
        for call in _calls(path):
            if _called(call) not in _REFUSED or not call.args:
                continue
            words = [text for each in call.args if (text := _text(each)) and _WORD.fullmatch(text)]
            found |= set(words[:1])
            if not words:
                elsewhere.add(path.relative_to(ROOT).as_posix())
    return found, elsewhere


def _calls(path: Path) -> Iterator[ast.Call]:
    tree = ast.parse(path.read_text("utf-8"))
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _called(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _text(node: ast.expr | None) -> str | None:
    """Return a literal text with an ellipsis for each value in it; None where it is none."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or GAP for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return (_text(node.left) or GAP) + (_text(node.right) or GAP)
    return None


def listed(section: str) -> list[str]:
    """Return the messages, or the reasons, that a section of the page holds, in its order."""
    page = PAGE.read_text("utf-8").split(f"\n## {section}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `(.+?)` \| .+ \|$", page, re.MULTILINE)


def main() -> None:
    """Print what is missing on the page, ready to be filled in, and what is there in vain."""
    told = {said.text: said for said in messages()}
    page = set(listed("Messages"))
    for text, said in told.items():
        if text not in page:
            sys.stdout.write(f"| `{text}` | {said.hint or 'TODO'} |   {said.place}\n")
    for text in page - set(told):
        sys.stdout.write(f"no longer said: {text}\n")


if __name__ == "__main__":
    main()
