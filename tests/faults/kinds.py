"""The kinds of faults that happen to workers, their disks, their wires and their broker.

Each does one thing to a world that runs, sees to it that it did happen, and mends it. What should be
on the topics afterwards it may not know.
"""

from __future__ import annotations

import asyncio
import signal
import time

from slastream.stream.faults import POINTS
from tests.faults.grounds import NAMES
from tests.faults.members import Member
from tests.faults.world import Kind, Met, World


def killed_at(point: str) -> Kind:
    """Return the fault of a worker that dies at a named point of a step."""

    async def happen(world: World) -> Met:
        """kill -9 at some moment, and again at the point when it has come back."""
        member = world.anyone()
        await member.kill()
        nth = 1 if point in ("fenced", "claimed", "replayed") else world.rng.randint(1, 12)
        member.start(crash_at=f"{point}:{nth}")
        code = await member.gone(60)
        struck = world.struck()
        assert code == -signal.SIGKILL, f"it ended with {code}: {member.since_start()[-500:]}"
        member.start()
        return Met(f"{member.name}: kill -9, and again at {point}:{nth}", struck, faults=2)

    return happen


async def killed(world: World) -> Met:
    """kill -9 of a worker at a random moment."""
    member = world.anyone()
    await asyncio.sleep(world.rng.random())
    await member.kill()
    struck = world.struck()
    away = world.rng.choice((0.0, 0.0, 5.0))
    await asyncio.sleep(away)
    member.start()
    return Met(f"{member.name}: kill -9, back after {away:g} s", struck)


async def all_killed(world: World) -> Met:
    """kill -9 of all workers at once."""
    members = world.running()
    for member in members:
        member.send(signal.SIGKILL)
    struck = world.struck()
    for member in members:
        await member.gone(10)
        member.start()
    return Met(f"{' and '.join(m.name for m in members)}: kill -9", struck, faults=len(members))


async def asked_to_go(world: World) -> Met:
    """SIGTERM: it leaves in good order and comes back under its name."""
    member = world.anyone()
    struck = world.struck()
    member.send(signal.SIGTERM)
    code = await member.gone(30)
    assert code == 0, f"it ended with {code}"
    member.start()
    return Met(f"{member.name}: SIGTERM, gone after {time.monotonic() - struck.at:.1f} s", struck)


async def paused_past_its_session(world: World) -> Met:
    """SIGSTOP until others have its partitions and have worked on them, then SIGCONT."""
    member = world.anyone()
    session = world.settings.session_timeout + world.settings.transaction_timeout
    return await _sleep(world, member, session + world.rng.random() * 2)


async def paused_for_half_a_minute(world: World) -> Met:
    """SIGSTOP for 30 s across a rebalance."""
    return await _sleep(world, world.anyone(), 30.0)


async def paused_briefly(world: World) -> Met:
    """SIGSTOP for less than a session: nobody notices, and nothing may be lost by it."""
    return await _sleep(world, world.anyone(), world.settings.session_timeout / 2)


async def _sleep(world: World, member: Member, seconds: float) -> Met:
    other = world.other(member)
    if seconds > world.settings.session_timeout:
        # It falls asleep over work: what it has fetched it would go on to publish when it wakes up.
        world.desk.burst = 3
        await world.fed(1)
        await asyncio.sleep(world.rng.random() / 2)
    struck = world.struck()
    member.pause()
    try:
        await asyncio.sleep(seconds)
        if seconds > world.settings.session_timeout:
            # The sleeper must find its place taken when it wakes up.
            await world.fed(2)
    finally:
        member.resume()
    return Met(f"{member.name}: SIGSTOP for {seconds:.1f} s, {other.name} went on", struck)


async def joined_and_left(world: World) -> Met:
    """A third worker joins while ten times as much is told, and leaves again."""
    world.desk.burst = 4
    guest = world.members[NAMES[2]]
    struck = world.struck()
    guest.start()
    await guest.says("ready: ", 60)
    await world.fed(1)
    how = world.rng.choice(("SIGTERM", "kill -9"))
    if how == "SIGTERM":
        await guest.leave()
    else:
        await guest.kill()
    return Met(f"{guest.name} joined under load and left by {how}", struck, faults=2)


async def poisoned(world: World) -> Met:
    """A shower of garbage, on the raw topic and straight on the journal."""
    struck = world.struck()
    world.desk.poisonous = 100
    await world.fed(1)
    return Met("100 records of garbage at once", struck)


HALF_A_MINUTE = "paused for 30 s"

WORKERS: dict[str, Kind] = {
    **{f"killed at {point}": killed_at(point) for point in POINTS},
    "killed": killed,
    "all killed": all_killed,
    "asked to go": asked_to_go,
    "paused past its session": paused_past_its_session,
    HALF_A_MINUTE: paused_for_half_a_minute,
    "paused briefly": paused_briefly,
    "joined and left": joined_and_left,
    "poisoned": poisoned,
}
