"""What we sign as a vendor would, the gateway's check believes."""

from __future__ import annotations

import pytest

from slastream.core.errors import Rejected
from slastream.core.instant import MINUTE
from slastream.sources import SOURCES
from slastream.sources.signatures import SCHEMES, sign, verify

NOW = 1_772_523_000_000
BODY = b'{"ticket": 4711}'


@pytest.mark.parametrize("source", sorted(SOURCES))
def test_a_signed_delivery_is_believed(source: str) -> None:
    """Every source's headers fit its body and secret."""
    verify(source, sign(source, "an-invented-secret", BODY, NOW), BODY, ["an-invented-secret"], NOW)


@pytest.mark.parametrize("source", sorted(SOURCES))
def test_another_secret_is_not(source: str) -> None:
    """The signature is the secret's."""
    with pytest.raises(Rejected, match=r"signature|secret"):
        verify(source, sign(source, "some-other-secret", BODY, NOW), BODY, ["an-invented-one"], NOW)


@pytest.mark.parametrize("source", sorted(SCHEMES))
def test_another_body_is_not(source: str) -> None:
    """The signature is the body's."""
    with pytest.raises(Rejected, match="does not fit"):
        verify(source, sign(source, "an-invented-one", BODY, NOW), b"{}", ["an-invented-one"], NOW)


@pytest.mark.parametrize("source", ["zendesk", "glpi"])
def test_the_time_is_signed_along(source: str) -> None:
    """Where the vendor signs a time, ours is now."""
    headers = sign(source, "an-invented-one", BODY, NOW - 61 * MINUTE)

    with pytest.raises(Rejected, match="away from now"):
        verify(source, headers, BODY, ["an-invented-one"], NOW)
