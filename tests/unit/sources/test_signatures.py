"""Signatures: what each vendor's scheme lets through, and what it does not."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from slastream.core.errors import Rejected
from slastream.sources import SOURCES
from slastream.sources.signatures import SCHEMES, sign_own, verify

SECRET = "an-invented-secret"
BODY = '{"ticket":{"id":1,"title":"Drucker läuft nicht"}}'.encode()
NOW = 1_772_442_131_000
TIME = {"zendesk": "2026-03-02T09:02:11Z", "glpi": "1772442131"}


def signed(
    source: str, secret: str = SECRET, body: bytes = BODY, time: str | None = None
) -> dict[str, str]:
    """Sign by hand, as the vendor's documentation has it, not with the code under test."""
    key, time = secret.encode(), time or TIME.get(source, "")

    def mac(name: str, message: bytes, key: bytes = key) -> bytes:
        return hmac.new(key, message, name).digest()

    def b64(raw: bytes) -> str:
        return base64.b64encode(raw).decode()

    match source:
        case "connectwise":
            derived = hashlib.sha256(key).digest()
            return {"X-Content-Signature": b64(mac("sha256", body, derived))}
        case "autotask":
            return {"X-Hook-Signature": "sha1=" + b64(mac("sha1", body))}
        case "jira":
            return {"X-Hub-Signature": "sha256=" + mac("sha256", body).hex()}
        case "zammad":
            return {"X-Hub-Signature": "sha1=" + mac("sha1", body).hex()}
        case "frappe_helpdesk":
            return {"X-Frappe-Webhook-Signature": b64(mac("sha256", body))}
        case "zendesk":
            return {
                "X-Zendesk-Webhook-Signature": b64(mac("sha256", time.encode() + body)),
                "X-Zendesk-Webhook-Signature-Timestamp": time,
            }
        case "glpi":
            return {
                "X-GLPI-Signature": mac("sha256", body + time.encode()).hex(),
                "X-GLPI-Timestamp": time,
            }
    return {"X-Slastream-Token": secret}


def refused(source: str, headers: dict[str, str], body: bytes = BODY, now: int = NOW) -> str:
    with pytest.raises(Rejected) as caught:
        verify(source, headers, body, [SECRET], now)

    assert SECRET not in str(caught.value)
    return caught.value.reason


@pytest.mark.parametrize("source", SOURCES)
def test_right_signature(source: str) -> None:
    """A delivery signed with the secret passes, header names in any case."""
    verify(source, signed(source), BODY, [SECRET], NOW)
    verify(source, {k.lower(): v for k, v in signed(source).items()}, BODY, [SECRET], NOW)


@pytest.mark.parametrize("source", SOURCES)
def test_rotation(source: str) -> None:
    """While a secret is replaced, deliveries signed with the old or the new one pass."""
    verify(source, signed(source), BODY, ["the-next-secret", SECRET], NOW)
    verify(source, signed(source), BODY, [SECRET, "the-next-secret"], NOW)


@pytest.mark.parametrize("source", SOURCES)
def test_wrong_secret(source: str) -> None:
    """A delivery signed with another secret is refused."""
    assert refused(source, signed(source, "somebody-elses")) == "bad_signature"


@pytest.mark.parametrize("source", SCHEMES)
def test_altered_body(source: str) -> None:
    """One changed byte of the body is refused."""
    assert refused(source, signed(source), BODY.replace(b"1", b"2")) == "bad_signature"


@pytest.mark.parametrize("source", SOURCES)
def test_missing_signature(source: str) -> None:
    """A delivery without a signature is refused, with or without other headers."""
    assert refused(source, {"content-type": "application/json"}) == "no_signature"
    assert refused(source, {}) == "no_signature"


@pytest.mark.parametrize("source", SOURCES)
def test_truncated_signature(source: str) -> None:
    """A signature that is cut short, prefix and all, is refused."""
    for name, value in signed(source).items():
        if "timestamp" not in name.lower():
            for cut in (1, len(value) // 2, len(value) - 1):
                assert refused(source, {**signed(source), name: value[:cut]}) == "bad_signature"


@pytest.mark.parametrize("source", SOURCES)
def test_garbage_in_the_header(source: str) -> None:
    """Letters that no signature has are refused and crash nothing."""
    for name in signed(source):
        for junk in ("é" * 40, "\ud800", "sha1=", "=" * 3, "\x00"):
            assert refused(source, {**signed(source), name: junk}) in ("bad_signature", "stale")


@pytest.mark.parametrize("source", SOURCES)
def test_no_secret_lets_nothing_through(source: str) -> None:
    """A source without a secret, or with an empty one, refuses everything."""
    for secrets in ([], [""], [b""]):
        with pytest.raises(Rejected, match="no_secret"):
            verify(source, signed(source, ""), BODY, secrets, NOW)


@pytest.mark.parametrize("source", ["zendesk", "glpi"])
def test_replay(source: str) -> None:
    """A delivery that was recorded and comes again later, or from the future, is stale."""
    window = SCHEMES[source].window

    verify(source, signed(source), BODY, [SECRET], NOW + window)
    assert refused(source, signed(source), now=NOW + window + 1) == "stale"
    assert refused(source, signed(source), now=NOW - window - 1) == "stale"


@pytest.mark.parametrize("source", ["zendesk", "glpi"])
def test_replay_with_a_fresh_time(source: str) -> None:
    """The time is part of what is signed, so a replay cannot renew it."""
    headers = signed(source)
    for name in headers:
        if "timestamp" in name.lower():
            headers[name] = "2026-03-02T09:12:11Z" if source == "zendesk" else "1772442731"

    assert refused(source, headers, now=NOW + 600_000) == "bad_signature"


def test_zendesk_time_that_is_none() -> None:
    """A signed time that cannot be read is as good as too old."""
    assert refused("zendesk", signed("zendesk", time="yesterday")) == "stale"


def test_own_scheme() -> None:
    """Producers of canonical events can sign with a time, which limits a replay."""
    header = {"X-Slastream-Signature": sign_own(SECRET, BODY, NOW)}

    verify("canonical", header, BODY, [SECRET], NOW + 300_000)
    assert refused("canonical", header, now=NOW + 301_000) == "stale"
    assert refused("canonical", header, BODY + b" ") == "bad_signature"
    assert refused("canonical", {"X-Slastream-Signature": "v1=00"}) == "bad_signature"


def test_shown_secrets() -> None:
    """Vendors that sign nothing show the secret as a token, a bearer or a Basic pair."""
    pair = base64.b64encode(b"halo:an-invented-secret").decode()

    verify("halopsa", {"Authorization": f"Bearer {SECRET}"}, BODY, [SECRET], NOW)
    verify("halopsa", {"Authorization": f"basic {pair}"}, BODY, ["halo:an-invented-secret"], NOW)
    assert refused("halopsa", {"Authorization": f"Basic {pair}"}) == "bad_signature"
    assert refused("halopsa", {"Authorization": "Basic %%%"}) == "bad_signature"
    assert refused("halopsa", {"Authorization": "Digest x"}) == "no_signature"


def test_a_token_is_no_way_around_a_signature() -> None:
    """A vendor that signs cannot be talked into a shown secret instead."""
    assert refused("jira", {"X-Slastream-Token": SECRET}) == "no_signature"
