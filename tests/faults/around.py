"""The kinds of faults that happen around workers: to their wires, their disks and their one broker.

Like `kinds`: each happens, is seen to have happened, and is mended.
"""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from tests.faults.grounds import NAMES, OneBroker
from tests.faults.members import Member
from tests.faults.world import Kind, Met, World
from tests.support.proxy import Mode


def _ground(world: World) -> OneBroker:
    assert isinstance(world.ground, OneBroker)
    return world.ground


# -- wires


def cut_off(mode: Mode, seconds: tuple[float, ...]) -> Kind:
    """Return the fault of a network that fails in one way, for one worker or for all of them."""

    async def happen(world: World) -> Met:
        """Some seconds without network, or with a bad one."""
        names = world.rng.choice((NAMES[:1], NAMES[1:2], NAMES))
        away = world.rng.choice(seconds)
        proxies = [world.ground.proxies[name] for name in names]
        before = sum(proxy.swallowed for proxy in proxies)
        struck = world.struck()
        for proxy in proxies:
            proxy.set(mode)
        try:
            await asyncio.sleep(away)
        finally:
            for proxy in proxies:
                proxy.set("open")
        lost = sum(proxy.swallowed for proxy in proxies) - before
        whose = names[0] if len(names) == 1 else "all"
        gone = f", {lost} bytes never arrived" if lost else ""
        return Met(f"network of {whose}: {mode} for {away:g} s{gone}", struck)

    return happen


async def hung_up(world: World) -> Met:
    """Every connection is half closed: the broker's side has said its last word."""
    struck = world.struck()
    closed = 0
    for _ in range(3):
        closed += sum(proxy.half_close() for proxy in world.ground.proxies.values())
        await asyncio.sleep(0.3)
    return Met(f"{closed} connections half closed", struck)


# -- the broker


async def broker_killed(world: World) -> Met:
    """kill -9 of the only broker, and a restart on the same disk."""
    broker = _ground(world).broker
    away = world.rng.choice((0.0, 2.0, 6.0))
    struck = world.struck()
    await asyncio.to_thread(broker.kill)
    await asyncio.sleep(away)
    await asyncio.to_thread(broker.start)
    return Met(f"broker: kill -9, started again after {away:g} s", struck)


async def broker_restarted(world: World) -> Met:
    """The broker is stopped in good order, and started again."""
    struck = world.struck()
    await asyncio.to_thread(_ground(world).broker.restart)
    return Met("broker: restarted in good order", struck)


async def broker_paused(world: World) -> Met:
    """SIGSTOP of the broker: connections stay open, and nothing answers."""
    broker = _ground(world).broker
    away = world.rng.choice((2.0, 5.0, 12.0))
    struck = world.struck()
    broker.pause()
    await asyncio.sleep(away)
    broker.resume()
    return Met(f"broker: SIGSTOP for {away:g} s", struck)


async def broker_disk_full(world: World) -> Met:
    """The broker's disk is full until it dies of it; then there is room again, and it is started."""
    ground = _ground(world)
    assert ground.broker.pid is not None
    struck = world.struck()
    how = ground.disk.full(ground.broker.pid)
    for _ in range(200):
        if not ground.broker.running:
            break
        await asyncio.sleep(0.05)
    died = "died of it" if not ground.broker.running else "was killed"
    await asyncio.to_thread(ground.broker.kill)
    ground.disk.free(None)
    await asyncio.to_thread(ground.broker.start)
    return Met(f"broker's disk: {how}, it {died}, started again", struck)


# -- disks of workers


async def disk_full(world: World) -> Met:
    """A worker's disk is full for some seconds, perhaps also while it starts."""
    member = world.anyone()
    disk = world.disks[member.name]
    again = world.rng.random() < 0.5
    struck = world.struck()
    if again:
        # A new store needs room at once, an open one when its write-ahead log has used up what it has.
        await member.kill()
        member.start()
    how = disk.full(member.pid)
    try:
        world.desk.burst = 3
        await asyncio.sleep(6)
    finally:
        disk.free(member.pid if member.running else None)
    ended = "" if member.running else ", it ended"
    if not member.running:
        member.start()
    when = "at its start" if again else "at work"
    return Met(f"{member.name}: {how} for 6 s {when}{ended}", struck)


async def disk_lost(world: World) -> Met:
    """A worker dies and comes back without its disk."""
    member = world.anyone()
    await member.kill()
    struck = world.struck()
    for store in _stores(member):
        shutil.rmtree(store)
    member.start()
    return Met(f"{member.name}: kill -9, its disk is lost", struck)


async def disk_of_another_age(world: World) -> Met:
    """A worker dies and comes back with the disk that was copied at an earlier time."""
    member = world.anyone()
    copy = world.folder / "backups" / member.name
    old = copy.exists()
    await member.kill()
    struck = world.struck()
    if not old:
        _copy(member.disk, copy)
        member.start()
        await world.fed(4)
        await member.kill()
        struck = world.struck()
    for store in _stores(member):
        shutil.rmtree(store)
    _copy(copy, member.disk)
    if old:
        shutil.rmtree(copy)
    member.start()
    age = "an earlier fault" if old else "four slices ago"
    return Met(f"{member.name}: kill -9, back with its disk of {age}", struck)


async def disk_corrupt(world: World) -> Met:
    """A worker dies and comes back, and something has scribbled on its disk."""
    member = world.anyone()
    member = member if _stores(member) else world.other(member)
    await member.kill()
    struck = world.struck()
    sorts = ["MANIFEST", "CURRENT", "sst", "log"]
    world.rng.shuffle(sorts)
    for how in sorts:  # a young store has no tables yet
        harmed = sum(_scribble(store, how, world) for store in _stores(member))
        if harmed:
            break
    member.start()
    return Met(f"{member.name}: kill -9, {harmed} files of RocksDB scribbled on ({how})", struck)


async def changelog_compacted(world: World) -> Met:
    """A worker is away, the changelog is compacted meanwhile, and it comes back with an old disk or none."""
    member = world.anyone()
    await member.kill()
    struck = world.struck()
    log = _ground(world).broker.data_dir / "log" / "cleaner-offset-checkpoint"
    before = _cleaned(log)
    for _ in range(40):
        await world.fed(1)
        await asyncio.sleep(0.5)
        if sum(new > old for old, new in zip(before, _cleaned(log), strict=False)) >= 3:
            break
    disk = world.rng.choice(("an old disk", "no disk"))
    if disk == "no disk":
        for store in _stores(member):
            shutil.rmtree(store)
    member.start()
    moved = sum(_cleaned(log)) - sum(before)
    return Met(
        f"{member.name}: away while {moved} offsets were compacted, back with {disk}", struck
    )


def _cleaned(checkpoint: Path) -> list[int]:
    """Return up to where each partition is compacted, as the broker notes it."""
    if not checkpoint.exists():
        return []
    lines = sorted(checkpoint.read_text().splitlines()[2:])
    return [int(line.rsplit(" ", 1)[1]) for line in lines if ".state.v1 " in line]


def _stores(member: Member) -> list[Path]:
    return sorted(path for path in member.disk.glob("*.rocksdb") if path.is_dir())


def _copy(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for store in source.glob("*.rocksdb"):
        shutil.copytree(store, target / store.name)


def _scribble(store: Path, how: str, world: World) -> int:
    """Overwrite a part of each file of one sort; returns how many."""
    harmed = 0
    for file in sorted(store.iterdir()):
        size = file.stat().st_size
        if how not in file.name or file.name == "LOG" or not size:
            continue
        start = world.rng.randrange(max(1, size // 2))
        with file.open("r+b") as open_file:
            open_file.seek(start)
            open_file.write(world.rng.randbytes(min(4096, size - start)))
        harmed += 1
    return harmed


AROUND: dict[str, Kind] = {
    "network refused": cut_off("refused", (1.0, 3.0, 10.0)),
    "network black hole": cut_off("black hole", (2.0, 5.0, 10.0)),
    "answers lost": cut_off("deaf", (1.0, 2.0, 4.0)),
    "network slow": cut_off("slow", (3.0, 6.0)),
    "network half closed": hung_up,
    "broker killed": broker_killed,
    "broker restarted": broker_restarted,
    "broker paused": broker_paused,
    "broker's disk full": broker_disk_full,
    "disk full": disk_full,
    "disk lost": disk_lost,
    "disk of another age": disk_of_another_age,
    "disk corrupt": disk_corrupt,
    "changelog compacted": changelog_compacted,
}
