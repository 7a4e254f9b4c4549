"""A second opinion on what a ticket's clocks say: plain dicts, and minutes counted one by one.

Written from the semantics, knows nothing of slastream. A story is a dict:

    calendars  name -> {"zone", "week": {weekday: [(minute, minute), ...]}, "holidays": [date, ...]}
    policies   [{"name", "contract": value or None, "calendar", "options": {...}, "at_risk": [percent],
                 "targets": {indicator: {priority or "default": minutes or "2BD"}}}]
    statuses   (board, label) -> (state, on)
    events     [{"at": minute, "id", "seq", "kind", "state", "on", "status", "actor", "comment",
                 "told": {...}, "created": minute or None}]
    end        the minute at which the clocks are read

Every time is a minute since BASE, every result a millisecond since BASE.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

BASE = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 160
MINUTE = 60_000
ORDER = ["new", "responded", "in_progress", "waiting", "resolved", "closed", "cancelled"]
INDICATORS = ["response", "plan", "resolution"]
DONE = ("resolved", "closed")
Story = dict[str, Any]


# -- opening hours, by looking at the local clock in every minute ---------------------------------


@cache
def _minutes(zone: str, week: str, holidays: str) -> tuple[bytes, list[tuple[date, int]]]:
    """Return one byte a minute (1 is open), and what the local clock shows: date and minute of day."""
    hours, off = eval(week), {date.fromisoformat(each) for each in holidays.split()}
    where = ZoneInfo(zone)
    opened, shown = bytearray(), []
    for minute in range(DAYS * 1440):
        local = (BASE + timedelta(minutes=minute)).astimezone(where)
        today, now = local.date(), local.hour * 60 + local.minute
        yesterday = today - timedelta(days=1)
        is_open = today not in off and any(a <= now < b for a, b in hours.get(today.weekday(), ()))
        late = yesterday not in off and any(
            a <= now + 1440 < b for a, b in hours.get(yesterday.weekday(), ())
        )
        opened.append(is_open or late)
        shown.append((today, now))
    return bytes(opened), shown


class Hours:
    """The hours of one calendar."""

    def __init__(self, calendar: dict[str, Any]) -> None:
        self.calendar = calendar
        self.open, self.shown = _minutes(
            calendar["zone"], repr(calendar["week"]), " ".join(calendar["holidays"])
        )

    def count(self, since: int, until: int) -> int:
        """Return the open milliseconds of [since, until)."""
        total, at = 0, since
        while at < until:
            minute = at // MINUTE
            if at % MINUTE == 0 and until - at >= MINUTE:
                last = until // MINUTE
                total += self.open[minute:last].count(1) * MINUTE
                at = last * MINUTE
                continue
            stop = min(until, (minute + 1) * MINUTE)
            total += (stop - at) * self.open[minute]
            at = stop
        return total

    def run_out(self, since: int, left: int) -> int:
        """Return the first instant at which `left` open milliseconds have passed since `since`."""
        at = since
        while left > 0:
            minute = at // MINUTE
            stop = (minute + 1) * MINUTE
            if self.open[minute]:
                if stop - at >= left:
                    return at + left
                left -= stop - at
            at = stop
        return at

    def works(self, day: date) -> bool:
        return bool(self.calendar["week"].get(day.weekday())) and (
            day.isoformat() not in self.calendar["holidays"]
        )

    def business_days(self, since: int, number: int) -> int:
        """Return the same local time `number` working days after `since`."""
        day, now = self.shown[since // MINUTE]
        while number:
            day += timedelta(days=1)
            number -= self.works(day)
        minute = since // MINUTE
        last = max(i for i in range(minute, len(self.shown)) if self.shown[i] <= (day, now))
        return last * MINUTE + since % MINUTE

    def next_open(self, since: int) -> int:
        at = since
        while not self.open[at // MINUTE]:
            at = (at // MINUTE + 1) * MINUTE
        return at

    def next_day(self, since: int) -> int:
        """Return the first opening of the next date with hours of its own."""
        day = self.shown[since // MINUTE][0] + timedelta(days=1)
        while not self.works(day):
            day += timedelta(days=1)
        opening = self.calendar["week"][day.weekday()][0][0]
        minute = since // MINUTE
        while self.shown[minute] != (day, opening):
            minute += 1
        return minute * MINUTE


# -- one ticket ------------------------------------------------------------------------------------


class Ticket:
    """What is known of a ticket while its events are told in order."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.hours = {name: Hours(each) for name, each in story["calendars"].items()}
        self.state, self.on = "new", ""
        self.attributes: dict[str, Any] = {}
        self.clocks: list[dict[str, Any]] = []
        self.reopened = 0
        self.answered = False
        self.known = False
        self.done: list[list[int]] = []
        """Stretches of time in which the ticket was resolved or closed."""
        self.before_cancelled = ("new", "")

    # -- promises

    def promise(self, indicator: str) -> dict[str, Any]:
        """Return the winning policy's name, calendar, target and options for an indicator."""
        contract = self.attributes.get("contract")
        matching = [p for p in self.story["policies"] if p["contract"] in (None, contract)]
        best = max(matching, key=lambda p: p["contract"] is not None)
        targets = best["targets"].get(indicator, {})
        priority = (self.attributes.get("priority") or "").lower()
        return {
            "policy": best["name"],
            "calendar": best["calendar"],
            "amount": targets.get(priority, targets.get("default")),
            "options": best["options"],
            "at_risk": best["at_risk"],
        }

    def length(self, promise: dict[str, Any], since: int) -> int | None:
        amount = promise["amount"]
        if amount is None or not self.known:
            return None
        if isinstance(amount, str):
            hours = self.hours[promise["calendar"]]
            return hours.count(since, hours.business_days(since, int(amount[:-2])))
        return amount * MINUTE

    def meant(self, promise: dict[str, Any], since: int) -> int | None:
        """Return where business days end: the local time of `since`, open or not."""
        amount = promise["amount"]
        if not isinstance(amount, str):
            return None
        return self.hours[promise["calendar"]].business_days(since, int(amount[:-2]))

    def over(self, clock: dict[str, Any], since: int, left: int) -> int:
        """Return when `left` is used up; business days last until their local time while all is closed."""
        hours, until = self.hours[clock["calendar"]], clock["until"]
        at = hours.run_out(since, left)
        if until is not None and until > at and hours.count(at, until) == 0:
            return until
        return at

    # -- the arithmetic of a clock

    def elapsed(self, clock: dict[str, Any], until: int) -> int:
        hours = self.hours[clock["calendar"]]
        return clock["base"] + sum(
            hours.count(
                max(a, clock["origin"], clock["started"]), min(until if b is None else b, until)
            )
            for a, b in clock["runs"]
        )

    def waited(self, clock: dict[str, Any], until: int) -> int:
        hours = self.hours[clock["calendar"]]
        return sum(
            hours.count(max(a, clock["started"]), until if b is None else b)
            for a, b in clock["waits"]
        )

    def crossing(self, clock: dict[str, Any], now: int) -> int:
        """Return when what has elapsed by `now` first came to the target."""
        left = clock["target"] - clock["base"]
        hours = self.hours[clock["calendar"]]
        if left <= 0:
            return self.over(clock, max(clock["origin"], clock["started"]), 0)
        for a, b in clock["runs"]:
            a, b = max(a, clock["origin"], clock["started"]), now if b is None else b
            if a >= b:
                continue
            counted = hours.count(a, b)
            if counted >= left:
                return self.over(clock, a, left)
            left -= counted
        raise AssertionError("the target is not used up")

    def new_clock(self, indicator: str, at: int, cycle: int) -> dict[str, Any]:
        promise = self.promise(indicator)
        hours, start = self.hours[promise["calendar"]], promise["options"].get("start")
        started = at
        if cycle == 1 and start == "next_open":
            started = hours.next_open(at)
        elif cycle == 1 and start == "next_day":
            started = hours.next_day(at)
        later = indicator == "plan" and promise["options"].get("plan_origin") == "responded"
        clock = {
            **promise, "indicator": indicator, "cycle": cycle, "started": started,
            "target": self.length(promise, started), "phase": "pending" if later else "running",
            "runs": [] if later else [[started, None]], "waits": [], "base": 0, "origin": 0,
            "reached": None, "breached": None, "spent": None, "due": None,
            "armed": 0, "said": False, "alarm": False, "until": self.meant(promise, started),
        }  # fmt: skip
        self.clocks.append(clock)
        return clock

    def look(self, clock: dict[str, Any], until: int) -> None:
        """Note a breach that came before `until`, while the clock ran."""
        if clock["phase"] != "running" or clock["target"] is None:
            return
        since = max(clock["runs"][-1][0], clock["origin"], clock["armed"])
        left = clock["target"] - self.elapsed(clock, since)
        if clock["spent"] is not None:
            return
        at = self.over(clock, since, left)
        if at < until:
            clock["spent"] = at
            clock["said"] = clock["alarm"] = True
            if clock["breached"] is None:
                clock["breached"] = at

    def due(self, clock: dict[str, Any], now: int) -> int | None:
        """Return when a running clock runs out, or ran out."""
        if clock["target"] is None or clock["phase"] in ("pending", "paused"):
            return None
        if clock["spent"] is not None:
            return clock["spent"]
        since = max(clock["runs"][-1][0], clock["origin"], clock["armed"])
        left = clock["target"] - self.elapsed(clock, since)
        return self.over(clock, since, left)

    # -- what moves a clock

    def run(self, clock: dict[str, Any], at: int) -> None:
        if clock["phase"] != "running":
            self._close(clock, at)
            clock["phase"] = "running"
            if clock["spent"] is not None and not clock["said"]:
                clock["said"] = clock["alarm"] = True
            clock["runs"].append([max(at, clock["started"]), None])

    def pause(self, clock: dict[str, Any], at: int) -> None:
        if clock["phase"] != "paused":
            self._close(clock, at)
            clock["phase"] = "paused"
            clock["waits"].append([at, None])

    def stop(self, clock: dict[str, Any], at: int) -> None:
        at = max(at, clock["started"]) if clock["indicator"] != "resolution" else at
        clock["due"] = self.due(clock, at)
        self._close(clock, at)
        clock["phase"], clock["reached"], clock["alarm"] = "stopped", at, False

    def _close(self, clock: dict[str, Any], at: int) -> None:
        for spans in (clock["runs"], clock["waits"]):
            if spans and spans[-1][1] is None:
                spans[-1][1] = max(at, spans[-1][0])

    def retarget(self, clock: dict[str, Any], at: int) -> None:
        promise = self.promise(clock["indicator"])
        if all(clock[name] == promise[name] for name in ("policy", "calendar", "amount")):
            return
        options, old = promise["options"], clock["target"]
        length = self.length(promise, clock["started"])
        stricter = old is None or (length is not None and length < old)
        how = options.get("retarget_up" if stricter else "retarget_down", "from_creation")
        if old is not None and (
            how == "frozen_at_first" or (how == "strictest_ever" and not stricter)
        ):
            return
        elapsed = self.elapsed(clock, at)
        until = self.meant(promise, clock["started"])
        clock.update(promise, target=length, armed=at, until=until)
        if how == "from_change" and old is not None:
            clock["origin"], clock["base"] = at, 0
            clock["target"] = self.length(promise, at)
            clock["until"] = self.meant(promise, at)
        elif how == "carry_elapsed_percent" and old and length is not None:
            clock["origin"], clock["base"] = at, round(elapsed / old * length)
            clock["until"] = None
        else:
            clock["origin"], clock["base"] = 0, 0
        elapsed = self.elapsed(clock, at)
        clock["spent"] = None
        if clock["target"] is not None and elapsed > clock["target"]:
            if clock["breached"] is None:
                clock["breached"] = at
            clock["spent"] = self.crossing(clock, at)
            if clock["phase"] == "running" and not clock["said"]:
                clock["said"] = clock["alarm"] = True
        else:
            clock["said"] = clock["alarm"] = False

    def reopen(self, clock: dict[str, Any], at: int) -> None:
        options = clock["options"]
        how = options.get("reopen", "continue")
        if how == "new_cycle_after":
            hours = self.hours[clock["calendar"]]
            waited = hours.count(clock["reached"], at)
            how = "new_cycle" if waited > options["new_cycle_after"] * MINUTE else "continue"
        if how == "ignore":
            return
        if how == "new_cycle":
            clock["old"] = True
            self.new_clock(clock["indicator"], at, clock["cycle"] + 1)
            return
        if how == "include_resolved_time":
            clock["runs"] += [[a, b] for a, b in self.done if a >= clock["reached"]]
            if clock["target"] is not None and self.elapsed(clock, at) > clock["target"]:
                clock["spent"] = self.crossing(clock, at)
                if clock["breached"] is None:
                    clock["breached"] = at
        clock["reached"] = None
        (self.pause if self.waits(clock) else self.run)(clock, at)
        self.retarget(clock, at)

    # -- one event

    def tell(self, event: dict[str, Any]) -> bool:
        changed = False
        for name, value in event["told"].items():
            changed |= self.attributes.get(name) != value
            self.attributes[name] = value
        return changed

    def says(self, event: dict[str, Any]) -> tuple[str, str] | None:
        """Return the state that an event states, or None."""
        if event["kind"] in ("deleted", "merged"):
            return "cancelled", event["kind"]
        if event["state"] is not None:
            return event["state"], event["on"]
        if event["status"] is not None:
            statuses = self.story["statuses"]
            board = self.attributes.get("board") or ""
            return statuses.get((board, event["status"])) or statuses.get(("", event["status"]))
        return None

    def take(self, event: dict[str, Any], start: int) -> None:
        at = max(event["at"] * MINUTE, start)
        for clock in self.clocks:
            self.look(clock, at)
        if self.tell(event):
            for clock in self.clocks:
                if clock["phase"] in ("pending", "running", "paused"):
                    self.retarget(clock, at)
        stated, before = self.says(event), self.state
        if stated is None and event["kind"] == "restored" and before == "cancelled":
            self.state, self.on = self.before_cancelled
        else:
            self.state, self.on = stated or (self.state, self.on)
        if before in DONE and self.state in ORDER[:4]:
            self.reopened += 1
        if (before in DONE) != (self.state in DONE):
            if self.state in DONE:
                self.done.append([at, at])
            else:
                self.done[-1][1] = at
        if self.state != "cancelled":
            self.before_cancelled = self.state, self.on
        if before == "cancelled" and self.state != "cancelled":
            self.revive(at)
        self.milestones(event, stated is not None, at)
        for clock in self.clocks:
            if not clock.get("old"):
                self.follow(clock, at)

    def revive(self, at: int) -> None:
        for clock in self.clocks:
            if clock["phase"] == "cancelled" and not clock.get("old"):
                late = clock["indicator"] == "plan" and not self.answered
                if late and clock["options"].get("plan_origin") == "responded":
                    clock["phase"] = "pending"
                else:
                    self.run(clock, at)
                self.retarget(clock, at)

    def milestones(self, event: dict[str, Any], stated: bool, at: int) -> None:
        response, plan = self.clocks[0], self.clocks[1]
        options = response["options"]
        if self.state == "cancelled":
            stated = False
        human = event["actor"] == "agent" or (
            event["actor"] == "unknown" and options.get("unknown_actor") != "ignored"
        )
        spoke = event["comment"] == "public" or (
            event["comment"] == "internal" and options.get("note_counts", False)
        )
        answers = human and (
            (spoke and event["kind"] != "created")
            or (stated and self.state in ("responded", "in_progress"))
        )
        if response["reached"] is None and (
            (answers and response["phase"] in ("running", "paused")) or self.state in DONE
        ):
            self.stop(response, at)
            self.answered = True
        if plan["phase"] == "pending" and self.answered:
            since = plan["started"] = response["reached"]
            plan["target"] = self.length(plan, since)
            plan["until"] = self.meant(plan, since)
            plan["runs"].append([since, None])
            plan["phase"] = "running"
        works = human and stated and self.state == "in_progress"
        if plan["reached"] is None and (works or self.state in DONE):
            self.stop(plan, at)

    def follow(self, clock: dict[str, Any], at: int) -> None:
        phase, resolution = clock["phase"], clock["indicator"] == "resolution"
        if phase == "pending" and self.state != "cancelled":
            return
        if phase == "stopped":
            if resolution and self.state in ORDER[:4]:
                self.reopen(clock, at)
                if clock.get("old") and self.waits(clock):
                    self.pause(self.clocks[-1], at)
        elif self.state == "cancelled":
            clock["due"] = self.due(clock, at) if phase != "cancelled" else clock["due"]
            clock["started"] = at if phase == "pending" else clock["started"]
            self._close(clock, at)
            clock["phase"], clock["alarm"] = "cancelled", False
        elif self.state in DONE:
            self.stop(clock, at)
        elif self.waits(clock):
            self.pause(clock, at)
        else:
            self.run(clock, at)

    def waits(self, clock: dict[str, Any]) -> bool:
        if self.state != "waiting" or self.on == "provider":
            return False
        early = clock["options"].get("pause_before_response", False)
        return clock["indicator"] == "resolution" or self.answered or early


def in_order(story: Story) -> list[dict[str, Any]]:
    """Return each event once, in the order in which they count (D38); a later restoring undoes deletions."""
    once = {event["id"]: event for event in reversed(story["events"])}.values()

    def place(event: dict[str, Any]) -> tuple[int, int, int, int]:
        rank = 0
        if event["kind"] == "created":
            rank = -1
        elif event["kind"] in ("deleted", "merged"):
            rank = 6
        elif event["state"] is not None:
            rank = ORDER.index(event["state"])
        elif event["status"] is not None:
            board = event["told"].get("board") or ""
            found = story["statuses"].get((board, event["status"])) or story["statuses"].get(
                ("", event["status"])
            )
            rank = ORDER.index(found[0]) if found else 0
        return event["at"], -1 if event["seq"] is None else event["seq"], rank, event["tie"]

    events = sorted(once, key=place)
    restored = [i for i, event in enumerate(events) if event["kind"] == "restored"]
    if restored:
        kept = [
            event
            for i, event in enumerate(events)
            if i > restored[-1] or event["kind"] not in ("deleted", "merged")
        ]
        events = kept or events
    return events


def play(story: Story) -> dict[str, Any]:
    """Return what a ticket's clocks say at the end of its story."""
    events = in_order(story)
    ticket = Ticket(story)
    tells = [e for e in events if e["created"] is not None or e["kind"] == "created"]
    created = None
    if tells:
        created = tells[0]["at"] if tells[0]["created"] is None else tells[0]["created"]
    ticket.known = created is not None
    start = (events[0]["at"] if created is None else created) * MINUTE
    ticket.tell(events[0])
    for indicator in INDICATORS:
        ticket.new_clock(indicator, start, 1)
    for event in events:
        ticket.take(event, start)
    end = story["end"] * MINUTE
    for clock in ticket.clocks:
        ticket.look(clock, end)
    return {
        "state": ticket.state,
        "reopened": ticket.reopened,
        "clocks": [_read(ticket, clock, end) for clock in ticket.clocks],
    }


def _read(ticket: Ticket, clock: dict[str, Any], end: int) -> dict[str, Any]:
    phase, breached = clock["phase"], clock["breached"]
    until = clock["reached"] if clock["reached"] is not None else end
    if phase == "cancelled":
        outcome = "cancelled"
    elif clock["target"] is None:
        outcome = "measured"
    elif breached is not None:
        outcome = "missed"
    else:
        outcome = {"stopped": "met", "paused": "paused"}.get(phase, "running")
    due = clock["due"] if phase in ("stopped", "cancelled") else ticket.due(clock, end)
    return {
        "indicator": clock["indicator"],
        "cycle": clock["cycle"],
        "policy": clock["policy"],
        "started": clock["started"],
        "target": clock["target"],
        "phase": phase,
        "outcome": outcome,
        "elapsed": ticket.elapsed(clock, end),
        "paused": ticket.waited(clock, until),
        "due": due,
        "reached": clock["reached"],
        "breached": breached,
        "superseded": breached is not None and clock["spent"] is None,
        "alarm": clock["alarm"],
        "at_risk": phase == "running"
        and clock["target"] is not None
        and clock["spent"] is None
        and any(
            ticket.elapsed(clock, end) >= round(clock["target"] * percent / 100)
            for percent in clock["at_risk"]
        ),
        "spent": clock["spent"],
    }
