"""When the wall clock may be believed."""

from __future__ import annotations

import pytest

from slastream.stream.clock import STALE, LogClock, WallClock


class Watch:
    """A wall clock and a monotonic clock that a test turns."""

    def __init__(self) -> None:
        self.wall = 1_000_000.0
        self.monotonic = 50.0

    def clock(self) -> WallClock:
        return WallClock(lambda: self.wall, lambda: self.monotonic)

    def pass_(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds


def ms(seconds: float) -> int:
    return int(seconds * 1000)


def test_nothing_before_the_broker_was_asked() -> None:
    """A clock that nobody has confirmed is not one."""
    assert Watch().clock().now() is None


def test_the_wall_clock_while_the_broker_agrees() -> None:
    """Between two probes the wall clock counts."""
    watch = Watch()
    clock = watch.clock()

    assert clock.agree(ms(watch.wall), ms(watch.wall), ms(watch.wall))
    watch.pass_(9.5)
    assert clock.now() == ms(1_000_009.5)


@pytest.mark.parametrize(
    ("apart", "agrees"), [(1.9, True), (-1.9, True), (2.1, False), (-2.1, False)]
)
def test_two_seconds_are_allowed(apart: float, agrees: bool) -> None:
    """Up to two seconds either way are believed, not more; the answer's way is not counted."""
    watch = Watch()
    clock = watch.clock()
    asked = ms(watch.wall)
    found = clock.agree(asked, asked - ms(apart), asked)

    assert found is agrees
    assert (clock.now() is not None) is agrees
    assert clock.apart == ms(apart)


def test_a_slow_answer_is_no_difference() -> None:
    """The broker's stamp lies anywhere between the two looks at the wall."""
    watch = Watch()
    clock = watch.clock()

    assert clock.agree(1_000, 6_000, 11_000)
    assert clock.apart == 0


@pytest.mark.parametrize("step", [3600.0, -3600.0])
def test_a_step_of_the_wall_clock_is_seen_at_once(step: float) -> None:
    """An hour's step fires nothing, until the broker has been asked again."""
    watch = Watch()
    clock = watch.clock()
    clock.agree(ms(watch.wall), ms(watch.wall), ms(watch.wall))
    watch.wall += step

    assert clock.now() is None
    assert not clock.agree(ms(watch.wall), ms(watch.wall - step), ms(watch.wall))
    watch.wall -= step
    clock.agree(ms(watch.wall), ms(watch.wall), ms(watch.wall))
    assert clock.now() == ms(watch.wall)


def test_an_old_answer_is_not_believed() -> None:
    """A broker that has not answered for a minute confirms nothing."""
    watch = Watch()
    clock = watch.clock()
    clock.agree(ms(watch.wall), ms(watch.wall), ms(watch.wall))
    watch.pass_(STALE + 1)

    assert clock.now() is None


def test_a_simulated_run_has_no_wall_clock() -> None:
    """With `--time log` time comes from the log alone."""
    assert LogClock().now() is None
