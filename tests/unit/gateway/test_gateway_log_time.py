"""A simulated run's gateway takes the time of arrival from the sender; no other does."""

from __future__ import annotations

import pytest

from slastream.gateway.endpoints import Endpoint
from slastream.gateway.headers import LOG_TIME, Passing
from slastream.gateway.refusal import Refused

JIRA = Endpoint("acme-msp", "jira", "signature", (b"an-invented-secret",))
GIVEN = [("Content-Type", "application/json"), (LOG_TIME.title(), "1772523000000")]


def test_simulated_time_is_taken_over() -> None:
    """With `--time log` the header is the record's time."""
    passing = Passing(JIRA, simulated=True)

    assert passing.log_time(passing.look(GIVEN)) == 1_772_523_000_000


def test_real_time_is_nobodys_to_tell() -> None:
    """Otherwise the header is not even looked at, however odd."""
    passing = Passing(JIRA)

    assert passing.log_time(passing.look([*GIVEN, (LOG_TIME, "x\x00")])) is None


@pytest.mark.parametrize("told", ["", "-1", "2026-03-03", "1e12", "9" * 16, "١"])
def test_no_number_is_refused(told: str) -> None:
    """A time that cannot be read is the sender's mistake."""
    passing = Passing(JIRA, simulated=True)

    with pytest.raises(Refused) as refused:
        passing.log_time(passing.look([(LOG_TIME, told)]))

    assert (refused.value.status, refused.value.reason) == (400, "bad_header")
