"""Where a route's receiver is, and what it is shown: addresses and secrets, read from a file of routes.

No message of this file quotes what it read: what is wrong may be a secret in the wrong place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from yaml import MappingNode, Node, ScalarNode, SequenceNode

from slastream.book.nodes import Reader
from slastream.notify.receivers import Kind, pagerduty, webhook
from slastream.notify.secret import SHORTEST, Secret

_SECRET = ("file", "env", "literal")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_ENCRYPTED = ("pagerduty", "slack", "teams")


@dataclass
class Credentials:
    """The addresses and secrets of one route. Every method returns None after a mistake."""

    reader: Reader
    key: str
    folder: Path
    environ: Mapping[str, str]

    def url(self, node: Node, kind_name: str, kind: Kind) -> tuple[Secret | None, str | None]:
        """Return the address of a receiver, and the address as it may be shown."""
        hidden = isinstance(node, MappingNode)
        if hidden:
            secret = self.secret(node, "url")
            text = "" if secret is None else secret.reveal()
        else:
            text = self.reader.text(node, self._at("url")) or ""
            secret = Secret(text) if text else None
            if secret is not None and kind.url_is_secret:
                self._wrong(
                    node, "url", f"the address of a {kind_name} webhook is its password",
                    "put it into a file: url: {file: secrets/NAME}, or {env: NAME}",
                )  # fmt: skip
                return None, None
        if secret is None or not self._address(node, text, kind_name):
            return None, None
        host = urlsplit(text).netloc
        return secret, f"{urlsplit(text).scheme}://{host}/***" if hidden else text

    def _address(self, node: Node, text: str, kind_name: str) -> bool:
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
            parts = urlsplit("")
        if parts.scheme not in ("http", "https") or not host or re.search(r"\s", text):
            self._wrong(node, "url", "is no address", "write it whole: https://host/path")
        elif parts.username is not None:
            self._wrong(node, "url", "has a user in it", "use authorization: {file: ...}")
        elif parts.scheme == "http" and host not in _LOOPBACK and kind_name in _ENCRYPTED:
            self._wrong(node, "url", f"{kind_name} is reached by https")
        elif port == 0:
            self._wrong(node, "url", "has no port that can be reached")
        else:
            return True
        return False

    def routing_key(self, node: Node) -> Secret | None:
        """Return the integration key of a PagerDuty service."""
        key = self.secret(node, "routing_key")
        if key is not None and len(key.reveal()) != pagerduty.KEY_LENGTH:
            self._wrong(
                node, "routing_key",
                f"has {len(key.reveal())} characters, an integration key has 32",
                "the key of an Events API v2 integration",
            )  # fmt: skip
            return None
        return key

    def signing(self, node: Node) -> tuple[Secret, ...]:
        """Return the secrets that sign a webhook: one, or several while one replaces the other."""
        listed = isinstance(node, SequenceNode)
        nodes = self.reader.items(node, self._at("secret")) if listed else [node]
        if not nodes:
            self._wrong(node, "secret", "an empty list signs nothing")
        found = [self._signing(each) for each in nodes]
        return tuple(each for each in found if each is not None)

    def _signing(self, node: Node) -> Secret | None:
        secret = self.secret(node, "secret")
        if secret is None:
            return None
        try:
            size = len(webhook.key_of(secret.reveal()))
        except ValueError as error:
            self._wrong(node, "secret", str(error))
            return None
        if not webhook.FEWEST <= size <= webhook.MANY:
            self._wrong(
                node, "secret",
                f"is a key of {size} bytes; Standard Webhooks wants {webhook.FEWEST} to {webhook.MANY}",
                "such as whsec_ and the base64 of 32 random bytes",
            )  # fmt: skip
            return None
        return secret

    def secret(self, node: Node, name: str) -> Secret | None:
        """Read `{file: ...}`, `{env: ...}` or `{literal: ...}`."""
        if isinstance(node, ScalarNode):
            self._wrong(
                node, name, "a secret does not stand in this file",
                "write {file: secrets/NAME} or {env: NAME}; {literal: ...} if it must",
            )  # fmt: skip
            return None
        fields = self.reader.fields(node, self._at(name), _SECRET)
        if len(fields) != 1:
            if isinstance(node, MappingNode):
                self._wrong(node, name, "one of file, env and literal says where the secret is")
            return None
        [(where, value)] = fields.items()
        text = self.reader.text(value, self._at(f"{name}.{where}"))
        if text is None:
            return None
        secret = self._found(where, text, value, name)
        if secret is not None and len(secret.reveal()) < SHORTEST:
            self._wrong(value, f"{name}.{where}", f"holds fewer than {SHORTEST} characters")
            return None
        if secret is not None and not secret.reveal().isprintable():
            self._wrong(value, f"{name}.{where}", "holds more than one line of text")
            return None
        return secret

    def _found(self, where: str, text: str, node: Node, name: str) -> Secret | None:
        if where == "literal":
            return Secret(text)
        if where == "env":
            told = self.environ.get(text, "").strip()
            if not told:
                self._wrong(node, f"{name}.env", "the environment has no such variable")
                return None
            return Secret(told)
        try:
            return Secret(file=self.folder / Path(text).expanduser())
        except OSError as error:
            # Not the name: whoever writes the secret itself here must not find it in a log.
            self._wrong(node, f"{name}.file", f"the file cannot be read: {error.strerror}")
        except ValueError:
            self._wrong(node, f"{name}.file", "the file holds no text")
        return None

    def _at(self, name: str) -> str:
        return f"{self.key}.{name}"

    def _wrong(self, node: Node, name: str, message: str, hint: str | None = None) -> None:
        self.reader.wrong(node, self._at(name), message, hint)
