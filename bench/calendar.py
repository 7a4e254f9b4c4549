"""A due date on ten years of opening hours with public holidays: microseconds per call.

    pip install pandas businesstimedelta pytz
    python -m bench.calendar

Run it as a module: as a script, its name would hide the standard library's `calendar`. The two
libraries answer the same random questions in the same rounds; their answers are compared with ours,
and a library that is not installed is left out. Neither is a dependency of slastream.
"""

from __future__ import annotations

import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from slastream.core.calendar import Calendar, HolidayRule
from slastream.core.coverage import coverage
from slastream.core.instant import HOUR, from_datetime
from slastream.core.public_holidays import public_holidays

RESULTS = Path(__file__).parent / "results" / "calendar.json"
ROUNDS = 7
LEFT_HOURS = 8
YEARS = range(2020, 2030)
PARIS = ZoneInfo("Europe/Paris")
FRANCE = HolidayRule("FR")
DESK = Calendar(
    "paris",
    "Europe/Paris",
    (((30_600, 45_000), (48_600, 64_800)),) * 5 + ((), ()),
    (FRANCE,),
)


def holiday_dates() -> list[date]:
    years = range(YEARS.start, YEARS.stop + 2)
    return [date.fromordinal(day) for year in years for day in public_holidays(FRANCE, year)]


def starts(number: int) -> list[datetime]:
    """Return random moments of the ten years, at whole seconds, in UTC."""
    random = Random(7)
    first = datetime(YEARS.start, 1, 5, tzinfo=ZoneInfo("UTC"))
    seconds = (YEARS.stop - YEARS.start) * 365 * 86_400 - 86_400 * 10
    return [first + timedelta(seconds=random.randrange(seconds)) for _ in range(number)]


def with_pandas(moments: list[datetime]) -> tuple[Callable[[Any], Any], list[Any]]:
    import pandas

    hours = pandas.offsets.CustomBusinessHour(
        n=LEFT_HOURS,
        start=["08:30", "13:30"],
        end=["12:30", "18:00"],
        holidays=[day.isoformat() for day in holiday_dates()],
    )
    return (lambda moment: moment + hours), [
        pandas.Timestamp(moment.astimezone(PARIS)) for moment in moments
    ]


def with_businesstimedelta(moments: list[datetime]) -> tuple[Callable[[Any], Any], list[Any]]:
    import businesstimedelta as other
    import pytz  # What this library asks of a time zone, zoneinfo does not have.

    paris = pytz.timezone("Europe/Paris")

    def clock(text: str) -> Any:
        return datetime.fromisoformat(f"2000-01-01T{text}").time()

    # A list of dates stands for the holidays, as for pandas.
    days = dict.fromkeys(holiday_dates(), "holiday")
    rules = other.Rules(
        [
            other.WorkDayRule(clock("08:30"), clock("18:00"), [0, 1, 2, 3, 4], tz=paris),
            other.LunchTimeRule(clock("12:30"), clock("13:30"), [0, 1, 2, 3, 4], tz=paris),
            other.HolidayRule(days, tz=paris),
        ]
    )
    length = other.BusinessTimeDelta(rules, hours=LEFT_HOURS)
    return (lambda moment: moment + length), moments


def per_call(ask: Callable[[Any], Any], given: list[Any]) -> float:
    """Return microseconds per call, the loop included."""
    began = time.perf_counter()
    for moment in given:
        ask(moment)
    return (time.perf_counter() - began) / len(given) * 1e6


def installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def main() -> int:
    many, few = starts(20_000), starts(300)
    subject = coverage(DESK)
    began = time.perf_counter()
    subject.measure(from_datetime(many[0]), from_datetime(datetime(2020, 1, 5, tzinfo=PARIS)))
    subject.covered(from_datetime(datetime(2030, 1, 20, tzinfo=PARIS)))
    compiled_ms = (time.perf_counter() - began) * 1e3
    left = LEFT_HOURS * HOUR

    asked: dict[str, tuple[Callable[[Any], Any], list[Any]]] = {
        "slastream due": (lambda at: subject.due(at, left), list(map(from_datetime, many))),
        "slastream covered": (subject.covered, list(map(from_datetime, many))),
    }
    versions = {"pandas": installed("pandas"), "businesstimedelta": installed("businesstimedelta")}
    if versions["pandas"]:
        asked["pandas CustomBusinessHour"] = with_pandas(few)
    if versions["businesstimedelta"]:
        asked["businesstimedelta"] = with_businesstimedelta(few)

    rounds: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(ROUNDS):
        for name, (ask, given) in asked.items():
            rounds[name].append(per_call(ask, given))
    medians = {name: statistics.median(times) for name, times in rounds.items()}

    ours = [subject.due(from_datetime(moment), left) for moment in few]
    rows = {}
    for name, median in medians.items():
        row: dict[str, Any] = {"us_per_call": round(median, 3)}
        if not name.startswith("slastream"):
            ask, given = asked[name]
            theirs = [from_datetime(ask(moment)) for moment in given]
            row["ratio"] = round(median / medians["slastream due"], 1)
            row["same_answers"] = sum(a == b for a, b in zip(ours, theirs, strict=True))
            row["questions"] = len(few)
        rows[name] = row

    print(f"{'due in 8 h of opening hours':<28}{'us/call':>10}{'ratio':>9}  same answers")
    for name, row in rows.items():
        same = f"{row['same_answers']} of {row['questions']}" if "ratio" in row else ""
        print(f"{name:<28}{row['us_per_call']:>10.3f}{row.get('ratio', ''):>9}  {same}")
    print(f"compiling the ten years took {compiled_ms:.1f} ms, the holidays package included")
    RESULTS.parent.mkdir(exist_ok=True)
    result = {
        "command": "python -m bench.calendar",
        "python": platform.python_version(),
        "machine": platform.machine(),
        "versions": versions,
        "rounds": ROUNDS,
        "compile_ms": round(compiled_ms, 1),
        "medians": rows,
    }
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
