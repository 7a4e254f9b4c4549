"""Instants as text."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from slastream.core.instant import DAY, format_instant

LAST = 47_846 * DAY
"""The last day of 2100."""


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1, "1970-01-01T00:00:00.001Z"),
        (-2, "1969-12-31T23:59:59.998Z"),
        (LAST + DAY - 1, "2100-12-31T23:59:59.999Z"),
        (LAST + DAY, "2101-01-01T00:00:00.000Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_an_instant_is_written_in_utc(instant: int, text: str) -> None:
    """Also where no calendar looks: before 1970, and after 2100."""
    assert text == format_instant(instant)


def test_any_instant_is_written_as_datetime_writes_it() -> None:
    """Drawn from ten thousand days, twice each."""
    rng = random.Random(7)
    for instant in (rng.randrange(10_000 * DAY) for _ in range(20_000)):
        told = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=instant)

        assert told.isoformat(timespec="milliseconds").replace("+00:00", "Z") == format_instant(
            instant
        )
