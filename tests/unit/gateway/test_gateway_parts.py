"""The small parts of the gateway: rates, budgets, keys of tickets, headers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slastream.gateway.bucket import Bucket, Budget, Hold
from slastream.gateway.endpoints import Endpoint
from slastream.gateway.headers import Passing
from slastream.gateway.keying import key_of, parsed
from slastream.gateway.refusal import Refused
from slastream.sources import SOURCES, read
from slastream.sources.files import recorded
from slastream.sources.samples import samples

JIRA = Endpoint("acme", "jira", "signature", (b"an-invented-secret",))
CANONICAL = Endpoint("acme", "canonical", "token", (b"an-invented-secret",))


@given(
    rate=st.floats(0.5, 500), burst=st.integers(1, 50),
    steps=st.lists(st.floats(0, 2), min_size=1, max_size=200),
)  # fmt: skip
def test_a_bucket_never_gives_more(rate: float, burst: int, steps: list[float]) -> None:
    """Over any stretch of time no more passes than the burst and what the rate has added."""
    bucket = Bucket(rate, burst)
    now = 1000.0
    passed: list[float] = []
    for step in steps:
        now += step
        if not bucket.take(now):
            passed.append(now)
    for at, since in enumerate(passed):
        assert len(passed) - at <= burst + (now - since) * rate + 1e-6


def test_a_bucket_tells_when() -> None:
    """The wait that is told is long enough, and not longer than needed."""
    bucket = Bucket(2.0, 1.0)
    assert bucket.take(10.0) == 0.0
    wait = bucket.take(10.0)

    assert wait == pytest.approx(0.5)
    assert bucket.take(10.0 + wait) == 0.0


def test_a_budget_is_given_back() -> None:
    """What is held is what was taken, never more than the limit, and nothing after release."""
    budget = Budget(100)
    first, second = Hold(budget), Hold(budget)

    assert first.add(60)
    assert not second.add(60)
    assert second.add(40)
    first.release()
    first.release()
    assert budget.taken == 40
    second.release()
    assert budget.taken == 0


@pytest.mark.parametrize("source", [name for name in SOURCES if "debezium" not in name])
def test_key_of_every_source(source: str) -> None:
    """The key of a delivery, in each form a vendor has, is that of the ticket it tells of."""
    found = 0
    for sample in samples(source):
        delivery = recorded(sample["delivery"], source, "acme")
        key = key_of("acme", source, parsed(delivery.value or b""))
        if key is not None:
            found += 1
            tickets = {event.ticket for event in read(delivery)}

            assert key.decode().removeprefix(f"acme/{source}/") in tickets, sample["name"]
    assert found


@given(st.binary(max_size=200))
def test_no_bytes_break_the_key(body: bytes) -> None:
    """Whatever the bytes, there is a key or there is none."""
    for source in SOURCES:
        key = key_of("acme", source, parsed(body))

        assert key is None or key.startswith(b"acme/")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["ticket", "id", "issue", "ID"]), inner, max_size=3)
        ),
        max_leaves=10,
    )
)
def test_no_json_breaks_the_key(doc: object) -> None:
    """Whatever its shape, JSON gives a key or none."""
    for source in SOURCES:
        assert isinstance(key_of("acme", source, doc), bytes | None)


def test_what_passes() -> None:
    """Only a source's own headers pass, and ours stand before them."""
    passing = Passing(JIRA)
    found = passing.look(
        [
            ("X-Atlassian-Webhook-Identifier", "w-1"),
            ("SLA-Tenant", "x"),
            ("Cookie", "c"),
            ("CE-Id", "1"),
        ]
    )

    assert found == {"x-atlassian-webhook-identifier": "w-1"}
    assert passing.kafka(found, "w-1", 7) == [
        ("sla-tenant", b"acme"),
        ("sla-delivery", b"w-1"),
        ("sla-received-at", b"7"),
        ("x-atlassian-webhook-identifier", b"w-1"),
    ]


def test_cloud_events_pass_where_the_sender_is_known() -> None:
    """HTTP's `ce-` becomes Kafka's `ce_`, and the event's id names the delivery."""
    passing = Passing(CANONICAL)
    found = passing.look([("ce-id", "e-1"), ("ce-type", "io.slastream.ticket.v1")])

    assert passing.delivery(found, b"") == "e-1"
    assert ("ce_id", b"e-1") in passing.kafka(found, "e-1", 7)


def test_the_secret_never_passes() -> None:
    """What proves the sender is looked at and goes no further."""
    for endpoint, headers in (
        (CANONICAL, [("Authorization", "Bearer an-invented-secret")]),
        (CANONICAL, [("X-Slastream-Token", "an-invented-secret")]),
        (JIRA, [("X-Hub-Signature", "sha256=00")]),
    ):
        passing = Passing(endpoint)
        found = passing.look(headers)

        assert len(found) == 1
        assert len(passing.kafka(found, "d", 7)) == 3


@pytest.mark.parametrize("value", ["a" * 1025, "a\x00", "a\nb", "a\x1bb", "\x7f"])
def test_values_that_are_refused(value: str) -> None:
    """A header's value that is too long or steers a terminal is refused."""
    with pytest.raises(Refused, match="400 bad_header"):
        Passing(JIRA).look([("x-atlassian-webhook-identifier", value)])


@pytest.mark.parametrize("name", ["", " ", "a b", "é", "a" * 200])
def test_odd_delivery_ids(name: str) -> None:
    """An id that is none is replaced by one that the bytes have."""
    passing = Passing(JIRA)

    assert passing.delivery({"x-atlassian-webhook-identifier": name}, b"x").startswith("sha256:")
