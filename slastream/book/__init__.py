"""Policy books: YAML that people review, read into the values of `slastream.core.policy`.

    load(path)            the books of a file or folder
    publishable(path)     the same, each with its self-contained JSON bytes
    from_published(bytes) a book as it came off the books topic

The grammar is `docs/book.md`; `book.schema.json` teaches it to editors.
"""

from __future__ import annotations

from pathlib import Path

from slastream.book.loading import read
from slastream.book.nodes import BookErrors
from slastream.book.publish import from_published, to_published
from slastream.core.policy import Book

__all__ = ["BookErrors", "from_published", "load", "publishable"]


def load(path: str | Path) -> list[Book]:
    """Return the books of a YAML file, or of all YAML files of a folder, by tenant and version.

    Raises `Misconfigured` for a path that cannot be read, and its subclass `BookErrors`, whose
    `problems` are all the mistakes with file, line and key.
    """
    return [loaded.book for loaded in read(path)]


def publishable(path: str | Path) -> list[tuple[Book, bytes]]:
    """Return the books of a path, each with the bytes that `from_published` reads again."""
    return [(book, to_published(book)) for book in load(path)]
