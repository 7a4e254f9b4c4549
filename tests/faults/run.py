"""The fault matrix: `python -m tests.faults.run --rounds N --seed S [--only KIND,...] [--break RULE]`.

A round is each kind of fault once, in an order drawn by the seed, on workers and a cluster that live on
through all of them while tickets are told without an end. After each fault, what a read-committed
consumer has is compared with the offline oracle. Exit code 1 when anything was lost, doubled or different.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from tests.faults.around import AROUND
from tests.faults.clocks import CLOCKS, clocks
from tests.faults.grounds import OneBroker, ThreeBrokers
from tests.faults.kinds import HALF_A_MINUTE, WORKERS
from tests.faults.members import COMMAND
from tests.faults.sabotage import RULES, command_without
from tests.faults.trio import CLUSTER
from tests.faults.world import QUICK, Kind, Verdict, World

RESULTS = Path(__file__).parent / "results"
SINGLE: dict[str, Kind] = {**WORKERS, **AROUND}
ALL = (*SINGLE, *CLUSTER, *CLOCKS)


class Log:
    """Every fault's verdict: a line each as it comes, a table at the end."""

    def __init__(self) -> None:
        self.verdicts: list[Verdict] = []
        self.figures: list[dict[str, Any]] = []
        self._began = time.monotonic()

    def add(self, verdict: Verdict) -> None:
        self.verdicts.append(verdict)
        verdict_ = "ok" if verdict.good else "FAILED"
        at = time.monotonic() - self._began
        print(
            f"{at:7.1f} s  {self.faults:3}  {verdict.kind:22} {verdict.what:66}"
            f" committed {verdict.commits:5.1f} s  whole {verdict.whole:5.1f} s  {verdict_}",
            flush=True,
        )
        for name in ("lost", "twice", "different"):
            found = getattr(verdict, name)
            for line in found[:3]:
                print(f"           {name}: {line[:400]}", flush=True)
            if len(found) > 3:
                print(f"           {name}: and {len(found) - 3} more", flush=True)
        for line in verdict.said:
            print(f"           said {line[:400]}", flush=True)

    @property
    def faults(self) -> int:
        return sum(each.faults for each in self.verdicts)

    @property
    def good(self) -> bool:
        return all(each.good for each in self.verdicts)

    def summary(self) -> dict[str, Any]:
        kinds: dict[str, list[Verdict]] = defaultdict(list)
        for verdict in self.verdicts:
            if verdict.faults:
                kinds[verdict.kind].append(verdict)
        return {
            "faults": self.faults,
            "kinds": len(kinds),
            "lost": sum(len(each.lost) for each in self.verdicts),
            "twice": sum(len(each.twice) for each in self.verdicts),
            "different": sum(len(each.different) for each in self.verdicts),
            "seconds": round(time.monotonic() - self._began),
            "worlds": self.figures,
            "by_kind": {
                kind: {
                    "faults": sum(each.faults for each in found),
                    "committed_s": _spread([each.commits for each in found]),
                    "whole_s": _spread([each.whole for each in found]),
                    "lost": sum(len(each.lost) for each in found),
                    "twice": sum(len(each.twice) for each in found),
                    "different": sum(len(each.different) for each in found),
                }
                for kind, found in sorted(kinds.items())
            },
        }

    def table(self) -> str:
        told = self.summary()
        lines = [
            f"{'kind':26} faults   committed: median  worst    whole: median  worst   lost twice different"
        ]
        for kind, row in told["by_kind"].items():
            committed, whole = row["committed_s"], row["whole_s"]
            lines.append(
                f"{kind:26} {row['faults']:6} {committed['median']:19.1f} {committed['worst']:6.1f}"
                f" {whole['median']:16.1f} {whole['worst']:6.1f} {row['lost']:6} {row['twice']:5}"
                f" {row['different']:9}"
            )
        facts = sum(figures["facts"] for figures in self.figures)
        lines.append(
            f"{told['faults']} faults of {told['kinds']} kinds in {told['seconds']} s over {facts} facts:"
            f" {told['lost']} lost, {told['twice']} twice, {told['different']} different from the oracle"
        )
        return "\n".join(lines)


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": round(median(values), 2), "worst": round(max(values), 2)}


async def matrix(
    log: Log,
    seed: int,
    rounds: int,
    only: Sequence[str] = (),
    command: tuple[str, ...] = COMMAND,
) -> None:
    """Run the kinds of all stages, `rounds` times each."""
    wanted = only or ALL
    single = {kind: SINGLE[kind] for kind in SINGLE if kind in wanted}
    if not only:
        single.pop(HALF_A_MINUTE)  # once is enough, at the end
    cluster = {kind: CLUSTER[kind] for kind in CLUSTER if kind in wanted}
    with tempfile.TemporaryDirectory(
        prefix="slastream-faults-", ignore_cleanup_errors=True
    ) as folder:
        if single:
            async with OneBroker(Path(folder) / "one") as ground:
                await _stage(log, ground, Path(folder) / "a", seed, rounds, single, command,
                             last=() if only else (HALF_A_MINUTE,))  # fmt: skip
        if cluster:
            async with ThreeBrokers() as three:
                await _stage(log, three, Path(folder) / "b", seed, rounds, cluster, command)
        if any(kind in wanted for kind in CLOCKS):
            await clocks(log.add, log.figures.append, Path(folder) / "c", seed, rounds, wanted)


async def _stage(
    log: Log,
    ground: Any,
    folder: Path,
    seed: int,
    rounds: int,
    kinds: Mapping[str, Kind],
    command: tuple[str, ...],
    last: Sequence[str] = (),
) -> None:
    folder.mkdir()
    async with World(ground, folder, seed, command=command, timeouts=QUICK) as world:
        await world.fed(1)
        for number in range(rounds):
            order = list(kinds)
            random.Random(f"order/{seed}/{number}").shuffle(order)
            for kind in order:
                log.add(await world.meet(kind, kinds[kind]))
        for kind in last:
            log.add(await world.meet(kind, SINGLE[kind]))
        log.add(await world.finish())
        log.figures.append(world.figures())


def main(arguments: Sequence[str]) -> int:
    """Run the matrix; returns an exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6, help="how often each kind happens")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="kinds of faults, separated by commas")
    parser.add_argument("--break", dest="rule", choices=sorted(RULES), help="without one rule")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--list", action="store_true", help="print the kinds")
    told = parser.parse_args(arguments)
    if told.list:
        print("\n".join(ALL))
        return 0
    only = tuple(kind.strip() for kind in told.only.split(",") if kind.strip())
    if unknown := set(only) - set(ALL):
        parser.error(f"no such kind: {', '.join(sorted(unknown))}")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # our own clients meet the faults too
    log = Log()
    command = command_without(told.rule) if told.rule else COMMAND
    asyncio.run(matrix(log, told.seed, told.rounds, only, command))
    print(log.table())
    if told.json:
        said = {"command": "python -m tests.faults.run " + " ".join(arguments), **log.summary()}
        told.json.parent.mkdir(parents=True, exist_ok=True)
        told.json.write_text(json.dumps(said, indent=1) + "\n")
    return 0 if log.good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
