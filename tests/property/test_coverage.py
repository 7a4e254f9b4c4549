"""Opening hours against a walk over every minute, and the laws that need no second opinion."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from random import Random

from calendar_oracle import Oracle, ask, random_case, random_question, stretch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slastream.core.coverage import Coverage, Stitched, coverage
from slastream.core.errors import Misconfigured
from slastream.core.instant import DAY, HOUR

EPOCH = date(1970, 1, 1).toordinal()
seeds = st.integers(0, 2**40)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seeds)
def test_every_answer_is_what_walking_the_minutes_gives(seed: int) -> None:
    """Whatever the rules, the zone and the years compiled before, counting minutes gives the same."""
    rng = Random(seed)
    calendar, day = random_case(rng)
    subject, oracle = coverage(calendar), Oracle(calendar, day)
    for _ in range(20):
        stretch(rng, subject, day)
        question = random_question(rng, day)
        expected, actual = ask(subject, oracle, question)

        assert expected == actual, (question, calendar)


def subject_of(rng: Random) -> tuple[Coverage, int]:
    calendar, day = random_case(rng)
    return coverage(calendar), (day.toordinal() - EPOCH) * DAY


@settings(max_examples=100, deadline=None)
@given(seeds)
def test_due_is_the_first_instant_with_that_much_covered(seed: int) -> None:
    """At due the budget is used up, a millisecond before it is not, forward and backward alike."""
    rng = Random(seed)
    subject, noon = subject_of(rng)
    start = noon + rng.randrange(4 * DAY)
    left = rng.choice((-1, 1)) * rng.randrange(1, 40 * HOUR)
    try:
        due = subject.due(start, left)
    except Misconfigured:
        # A calendar that lives by a single open date has no such hours; that is a fair answer.
        ahead = (start, start + 15 * 365 * DAY) if left > 0 else (start - 15 * 365 * DAY, start)

        assert subject.measure(*ahead) < abs(left)
        return

    assert left == subject.covered(due) - subject.covered(start)
    assert left - 1 == subject.covered(due - 1) - subject.covered(start)


@settings(max_examples=100, deadline=None)
@given(seeds)
def test_windows_are_what_is_measured(seed: int) -> None:
    """The windows of a stretch are apart, in order, and their lengths sum to its measure."""
    rng = Random(seed)
    subject, noon = subject_of(rng)
    since = noon + rng.randrange(4 * DAY)
    until = since + rng.randrange(400 * DAY)
    windows = subject.windows(since, until)

    assert subject.measure(since, until) == sum(end - start for start, end in windows)
    assert all(early[1] < late[0] for early, late in pairwise(windows))
    assert all(since <= start < end <= until for start, end in windows)


@settings(max_examples=100, deadline=None)
@given(seeds)
def test_versions_stitched_together_rule_each_in_its_time(seed: int) -> None:
    """Across seams nothing jumps: a measure is the sum of what each version covers in its reign."""
    rng = Random(seed)
    calendar, day = random_case(rng)
    noon = (day.toordinal() - EPOCH) * DAY
    seams = sorted(noon + rng.randrange(6 * DAY) for _ in range(rng.randrange(1, 4)))
    parts = [(0, coverage(calendar))]
    parts += [(seam, coverage(random_case(rng)[0])) for seam in seams if seam > parts[-1][0]]
    subject = Stitched(parts)
    a = noon + rng.randrange(7 * DAY)
    b = a + rng.randrange(7 * DAY)
    edges = [instant for instant, _ in parts] + [b + 1]
    reigns = [
        part.measure(max(a, edges[i]), max(min(b, edges[i + 1]), a, edges[i]))
        for i, (_, part) in enumerate(parts)
        if edges[i] < b
    ]

    assert sum(reigns) == subject.measure(a, b)
    assert sum(reigns) == sum(end - start for start, end in subject.windows(a, b))

    opened = subject.windows(a, b)
    if opened:
        assert opened[0][0] == subject.next_open(a)
        assert opened[-1][1] == subject.due(a, subject.measure(a, b))
        half = subject.measure(a, b) // 2 + 1
        due = subject.due(a, half)
        end = opened[-1][1]

        assert half == subject.measure(a, due)
        assert half - 1 == subject.measure(a, due - 1)

        back = subject.due(end, -half)

        assert half == subject.measure(back, end)
        assert half + 1 == subject.measure(back - 1, end) or back <= a
