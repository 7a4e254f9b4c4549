"""What a person sees for each kind of mistake that a book can hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from slastream.book import BookErrors, load
from slastream.core.errors import Misconfigured

HEAD = "apiVersion: slastream/v1\neffective_from: 2026-01-01T00:00:00Z\ntenant: acme\n"
PARIS = HEAD + 'calendars:\n  paris: {timezone: Europe/Paris, open: {mon-fri: ["09:00-17:00"]}}\n'


def calendar(line: str) -> str:
    return f"{PARIS}  b: {line}\n"


def policy(line: str) -> str:
    return f"{PARIS}policies:\n- {{name: x, calendar: paris, {line}}}\n"


def source(line: str) -> str:
    return f"{HEAD}sources: {{cw: {{{line}}}}}\n"


def complaint(tmp_path: Path, content: str | bytes) -> list[str]:
    """Return what is said about a book, without the folder of the file."""
    file = tmp_path / "book.yaml"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(Misconfigured) as caught:
        load(file)
    problems = caught.value.problems if isinstance(caught.value, BookErrors) else [caught.value]
    return [str(problem).replace(f"{tmp_path}/", "") for problem in problems]


WHOLE_FILE = {
    "empty": ("", "book.yaml:1: the file is empty"),
    "only a comment": ("# soon\n", "book.yaml:1: the file is empty"),
    "no mapping": (
        "hello\n",
        "book.yaml:1: this is no policy book (it starts with apiVersion: slastream/v1)",
    ),
    "not text": (b"tenant: caf\xe9\n", "book.yaml:1: this is not UTF-8 text"),
    "control character": (
        HEAD + "options: \x07\n",
        "book.yaml:4: not YAML: control characters are not allowed",
    ),
    "tab": (
        HEAD + "calendars:\n\tparis: 24x7\n",
        "book.yaml:5: not YAML: while scanning for the next token, found character that cannot"
        " start any token (YAML is indented with spaces, never with tabs)",
    ),
    "bracket": (
        HEAD + "policies: [{name: x\n",
        "book.yaml:5: not YAML: while parsing a flow mapping, did not find expected ',' or '}'",
    ),
    "colon": (
        HEAD + "tenant: a: b\n",
        "book.yaml:4: not YAML: mapping values are not allowed in this context"
        " (quote text that holds a colon and a blank)",
    ),
    "two documents": (
        HEAD + "---\n" + HEAD,
        "book.yaml:4: not YAML: expected a single document in the stream, but found another"
        " document (one book a file: cut it at the `---`)",
    ),
    "anchor in itself": (
        HEAD + "calendars: &a {x: *a}\n",
        "book.yaml:4: the anchor contains itself",
    ),
    "unknown anchor": (HEAD + "calendars: *q\n", "book.yaml:4: not YAML: found undefined alias"),
    "tag": (
        HEAD + "policies: !mine []\n",
        "book.yaml:4: policies: YAML tags such as '!mine' are not used here",
    ),
    "merge key": (
        HEAD + "calendars: {b: {<<: {timezone: UTC}}}\n",
        "book.yaml:4: calendars.b.<<: merge keys are not used here"
        " (calendars have `extends:`; name anything else again)",
    ),
    "version": (
        HEAD.replace("/v1", "/v2"),
        "book.yaml:1: apiVersion: 'slastream/v2' is not known here (did you mean 'slastream/v1'?)",
    ),
    "no tenant": (
        HEAD.replace("tenant: acme\n", ""),
        "book.yaml:1: tenant: is missing (name the company whose promises these are)",
    ),
    "tenant with a slash": (
        HEAD.replace("acme", "acme/paris"),
        "book.yaml:3: tenant: 'acme/paris' cannot name a tenant"
        " (up to 100 characters without a slash, as in acme-msp)",
    ),
    "not dated": (
        HEAD.replace("effective_from: 2026-01-01T00:00:00Z\n", ""),
        "book.yaml:1: effective_from: is missing (write effective_from: 2026-01-01T00:00:00Z)",
    ),
    "no offset": (
        HEAD.replace("00:00Z", "00:00"),
        "book.yaml:2: effective_from: '2026-01-01T00:00:00' has no offset from UTC, such as Z or"
        " +02:00 (write it in full, such as 2026-01-01T00:00:00Z or ...+02:00)",
    ),
    "unknown key": (
        HEAD + "polices: []\n",
        "book.yaml:4: polices: unknown key 'polices' (did you mean 'policies'?)",
    ),
    "key twice": (
        HEAD + "tenant: other\n",
        "book.yaml:4: tenant: the key 'tenant' is written twice (first on line 3)",
    ),
    "nothing under a key": (
        HEAD + "calendars:\n",
        "book.yaml:4: calendars: expected a mapping (`name: value`), found nothing",
    ),
    "no list": (PARIS + "policies: {name: x}\n", "policies: expected a list, found a mapping"),
}

CALENDARS = {
    "24x7 typo": (
        HEAD + "calendars: {a: 24/7}\n",
        "book.yaml:4: calendars.a: '24/7' is no calendar (did you mean '24x7'?)",
    ),
    "24x7 in capitals": (HEAD + "calendars: {a: 24X7}\n", "(did you mean '24x7'?)"),
    "24x7 of one's own": (
        calendar('{}\n  24x7: {open: {mon: ["09:00-10:00"]}}'),
        "calendars.24x7: '24x7' is built in and means every hour there is",
    ),
    "zone": (
        calendar('{timezone: Europe/Pari, open: {mon: ["09:00-10:00"]}}'),
        "book.yaml:6: calendars.b.timezone: unknown time zone 'Europe/Pari'"
        " (did you mean 'Europe/Paris'?)",
    ),
    "key": (
        calendar("{timezome: UTC}"),
        "calendars.b.timezome: unknown key 'timezome' (did you mean 'timezone'?)",
    ),
    "day": (
        calendar('{open: {monday: ["09:00-17:00"]}}'),
        "calendars.b.open.monday: 'monday' is no day of the week (did you mean 'mon'?)",
    ),
    "range of days": (
        calendar('{open: {mon-fry: ["09:00-17:00"]}}'),
        "'mon-fry' is no day of the week (write mon ... sun, a range mon-fri, or daily)",
    ),
    "day twice": (
        calendar('{open: {mon-wed: ["09:00-17:00"], wed-fri: ["09:00-17:00"]}}'),
        "calendars.b.open.wed-fri: wed is in 'mon-wed' already",
    ),
    "window": (
        calendar("{open: {mon: 9-17}}"),
        "calendars.b.open.mon: '9-17' is no window of time"
        ' (write "HH:MM-HH:MM" in quotes, as "08:30-12:30")',
    ),
    "a time and no window": (
        calendar("{open: {mon: 08:30}}"),
        "'08:30' is no window of time",
    ),
    "no such time": (
        calendar('{open: {mon: ["09:00-24:30"]}}'),
        "there is no such time of day in '09:00-24:30' (times go from 00:00 to 24:00)",
    ),
    "empty window": (
        calendar('{open: {mon: ["09:00-09:00"]}}'),
        "the window '09:00-09:00' ends where it starts (a whole day is \"00:00-24:00\")",
    ),
    "starts at midnight's end": (
        calendar('{open: {mon: ["24:00-02:00"]}}'),
        "the window '24:00-02:00' starts when the day is over (start it at 00:00)",
    ),
    "never opens": (
        calendar("{timezone: UTC, open: {mon: []}}"),
        "book.yaml:6: calendars.b: this calendar never opens"
        " (give it open:, an exception with open:, or write 24x7)",
    ),
    "country": (
        calendar("{holidays: [{country: Frnace}]}"),
        "calendars.b.holidays[0].country: no holidays for 'Frnace'",
    ),
    "subdivision": (
        calendar("{holidays: [{country: GB, subdivision: SCO}]}"),
        "GB has no subdivision 'SCO' (did you mean 'SCT'?)",
    ),
    "date": (calendar("{holidays: [{date: 2026-02-30}]}"), "'2026-02-30' is no date"),
    "day of the year": (
        calendar('{holidays: [{yearly: "02-30"}]}'),
        "'02-30' is no day of the year (write MM-DD, such as \"12-25\")",
    ),
    "recurrence": (
        calendar("{holidays: [{rrule: FREQ=NEVER}]}"),
        "'FREQ=NEVER' is no recurrence rule of RFC 5545",
    ),
    "recurrence that stands still": (
        calendar('{holidays: [{rrule: "FREQ=DAILY;INTERVAL=0"}]}'),
        "'FREQ=DAILY;INTERVAL=0' does not name days",
    ),
    "holiday by name": (
        calendar("{holidays: [FR]}"),
        "calendars.b.holidays[0]: expected a mapping (`name: value`), found 'FR'",
    ),
    "two kinds of holiday": (
        calendar("{holidays: [{country: FR, date: 2026-01-01}]}"),
        "calendars.b.holidays[0]: a holiday has one of country, date, yearly, rrule and ics",
    ),
    "no feed": (
        calendar('{open: {mon: ["09:00-10:00"]}, holidays: [{ics: none.ics}]}'),
        "calendars.b.holidays[0].ics: cannot read 'none.ics': No such file or directory",
    ),
    "exception without a day": (
        calendar("{exceptions: [{closed: true}]}"),
        "calendars.b.exceptions[0]: needs one of date, yearly and rrule to say which day",
    ),
    "exception without effect": (
        calendar("{exceptions: [{date: 2026-12-24}]}"),
        "calendars.b.exceptions[0]: an exception neither opens nor closes anything",
    ),
    "not closed": (
        calendar("{exceptions: [{date: 2026-12-24, closed: false}]}"),
        "closed: false says nothing; leave it out",
    ),
    "extends nothing": (
        calendar("{extends: pariss}"),
        "calendars.b.extends: there is no calendar 'pariss' (did you mean 'paris'?)",
    ),
    "extends itself": (
        calendar("{extends: c}\n  c: {extends: b}"),
        "book.yaml:7: calendars.c.extends: the calendar extends itself: b -> c -> b",
    ),
    "extends all hours": (
        calendar("{extends: 24x7}"),
        "'24x7' is every hour there is (write open: {daily: [\"00:00-24:00\"]} instead)",
    ),
}

SOURCES = {
    "preset": (
        source("preset: conectwise"),
        "book.yaml:4: sources.cw.preset: 'conectwise' is not known here"
        " (did you mean 'connectwise'?)",
    ),
    "state": (
        source("statuses: {Open: in_progres}"),
        "sources.cw.statuses.Open: unknown state 'in_progres' (did you mean 'in_progress'?)",
    ),
    "whom it waits for": (
        source("statuses: {Hold: waiting/vender}"),
        "'waiting' has no reason 'vender' (did you mean 'vendor'?)",
    ),
    "reason of no use": (
        source("statuses: {New: new/client}"),
        "'new' has no reason 'client' (write new)",
    ),
    "no state": (source("statuses: {New: ~}"), "expected text, found nothing"),
    "status twice": (
        source('statuses: {"On Hold": waiting, "on  hold": new}'),
        "the status is mapped twice, here and at book.yaml:4 (case and blanks make no difference)",
    ),
    "no sub-status": (
        source("sub_statuses: {On Hold: new}"),
        "'On Hold' names no sub-status (write \"On Hold / Awaiting Caller\": waiting/client)",
    ),
    "zone": (source("timezone: Pariss"), "sources.cw.timezone: unknown time zone 'Pariss'"),
    "yes": (
        source("assigned_is_responded: yes"),
        "'yes' is neither true nor false (write true or false)",
    ),
    "client without a name": (
        source("clients: {HARBOURDENTAL: ~}"),
        "book.yaml:4: sources.cw.clients.HARBOURDENTAL: expected text, found nothing",
    ),
    "client with two names": (
        source('clients: {Harbour: Harbour Dental, "HARBOUR ": Leith}'),
        "book.yaml:4: sources.cw.clients.HARBOUR : the client is named twice, 'Harbour Dental' too"
        " (case and blanks make no difference)",
    ),
    "no clients": (source("clients: [a]"), "sources.cw.clients: expected a mapping"),
    "matrix": (source("matrix: {high: P1}"), "sources.cw.matrix.high: expected a mapping"),
}

POLICIES = {
    "no name": (PARIS + "policies:\n- calendar: paris\n", "policies[0]: a policy needs a name:"),
    "no calendar": (PARIS + "policies:\n- name: x\n", "policies[0]: a policy needs a calendar:"),
    "name twice": (
        policy("rank: 1") + "- {name: x, calendar: paris}\n",
        "book.yaml:8: policies[1].name: there is a policy 'x' already, at book.yaml:7",
    ),
    "calendar": (
        PARIS + "policies:\n- {name: x, calendar: pariss}\n",
        "policies[0].calendar: there is no calendar 'pariss' (did you mean 'paris'?)",
    ),
    "attribute": (
        policy("when: {clent: a}"),
        "policies[0].when.clent: tickets have no attribute 'clent' (did you mean 'client'?)",
    ),
    "nobody": (
        policy("when: {client: []}"),
        "policies[0].when.client: an empty list matches no ticket (leave the line out)",
    ),
    "indicator": (
        policy("targets: {resolutoin: PT4H}"),
        "policies[0].targets.resolutoin: unknown key 'resolutoin' (did you mean 'resolution'?)",
    ),
    "spoken hours": (
        policy("targets: {resolution: 4 hours}"),
        "policies[0].targets.resolution: '4 hours' is no duration (write PT4H)",
    ),
    "bare day": (
        policy("targets: {resolution: 1 day}"),
        "'1 day' is no duration (write P1BD for working days, or PT24H of 24x7 time)",
    ),
    "day on a business calendar": (
        policy("targets: {resolution: {P1: P1D}}"),
        "policies[0].targets.resolution.P1: 'P1D' counts days of 24 hours, on a calendar that"
        " closes (write P1BD for working days, or hours: PT..H)",
    ),
    "negative target": (
        policy("targets: {response: -PT5M}"),
        "'-PT5M' is no duration (a length of time cannot be negative)",
    ),
    "no length": (
        policy("targets: {response: PT0S}"),
        "the target 'PT0S' is not longer than zero (leave it out, or write null)",
    ),
    "no days": (policy("targets: {plan: P0BD}"), "'P0BD' must be between 1 and 2600 business days"),
    "priority twice": (
        policy("targets: {plan: {P1: PT1H, p1: PT2H}}"),
        "policies[0].targets.plan.p1: the priority 'p1' is written twice",
    ),
    "level": (
        policy('at_risk: ["soon"]'),
        'policies[0].at_risk[0]: \'soon\' is no level (write "75%", or a duration such as "PT15M")',
    ),
    "level in days": (
        policy("overdue: [P1BD]"),
        "a level cannot be counted in business days: 'P1BD' (write hours, PT..H)",
    ),
    "level twice": (policy("at_risk: [75%, 75 %]"), "the level '75%' is written twice"),
    "objective": (
        policy("objective: {response: 120%}"),
        "nobody attains '120%' (an objective is at most 100%)",
    ),
    "rank": (policy("rank: high"), "policies[0].rank: 'high' is no whole number"),
    "validity": (policy("valid_to: soon"), "policies[0].valid_to: 'soon' is no RFC 3339 time"),
    "option": (
        policy("options: {reopn: continue}"),
        "policies[0].options.reopn: unknown key 'reopn' (did you mean 'reopen'?)",
    ),
    "value of an option": (
        HEAD + "options: {retarget: from_chance}\n",
        "options.retarget: 'from_chance' is not known here (did you mean 'from_change'?)",
    ),
    "on": (
        HEAD + "options: {note_counts: on}\n",
        "options.note_counts: 'on' is neither true nor false (write true or false)",
    ),
    "new cycle after what": (
        HEAD + "options: {reopen: new_cycle_after}\n",
        "options.reopen: new_cycle_after needs a length (write {new_cycle_after: P5BD})",
    ),
    "length of an option": (
        HEAD + "options: {grace: 5m}\n",
        "options.grace: '5m' is no duration (write PT5M)",
    ),
    "origin": (
        HEAD + "options: {origin: {phone: imediate}}\n",
        "options.origin.phone: 'imediate' is not known here (did you mean 'immediate'?)",
    ),
}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(*case, id=f"{part}: {name}")
        for part, cases in (
            ("file", WHOLE_FILE), ("calendar", CALENDARS), ("source", SOURCES), ("policy", POLICIES),
        )
        for name, case in cases.items()
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place_and_what_to_write(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    """Each kind of mistake is told with file, line and key, and where possible with a remedy."""
    said = complaint(tmp_path, content)

    assert any(message in line for line in said), said
    assert all(line.startswith("book.yaml:") for line in said)


def test_every_mistake_of_a_book_is_told_at_once(tmp_path: Path) -> None:
    """One run of the checker finds all that is wrong, in the order of the file."""
    content = (
        HEAD + "calendars:\n  a: 24/7\n  b: {timezone: Nowhere}\n"
        "policies:\n- {name: x, calendar: a, targets: {plan: 4h}}\n- {name: y, calendar: zzz}\n"
    )

    lines = [5, 6, 8, 9]

    said = complaint(tmp_path, content)

    assert lines == [int(line.split(":")[1]) for line in said]


def test_many_mistakes_do_not_fill_the_screen(tmp_path: Path) -> None:
    """The message shows fifty mistakes and counts the others; `problems` has them all."""
    file = tmp_path / "book.yaml"
    many = 80
    file.write_text(HEAD + "sources:\n" + "".join(f"  s{at}: 1\n" for at in range(many)))

    with pytest.raises(BookErrors) as caught:
        load(file)

    assert many == len(caught.value.problems)
    assert str(caught.value).startswith("80 mistakes in the policy book:\n")
    assert str(caught.value).endswith("\n  and 30 more")


def test_a_faulty_calendar_is_not_told_twice(tmp_path: Path) -> None:
    """A policy on a calendar with a mistake is not blamed for it."""
    content = (
        HEAD + "calendars: {a: {open: {mon: [bad]}}}\n"
        "policies: [{name: x, calendar: a, targets: {plan: PT1H}}]\n"
    )

    (said,) = complaint(tmp_path, content)

    assert said.startswith("book.yaml:4: calendars.a.open.mon: 'bad' is no window of time")


def test_a_missing_file_and_an_empty_folder(tmp_path: Path) -> None:
    """A path that holds no book is named."""
    with pytest.raises(Misconfigured, match=r"none.yaml: cannot read the book: No such file"):
        load(tmp_path / "none.yaml")
    with pytest.raises(Misconfigured, match=r"the folder holds no .yaml file"):
        load(tmp_path)
