"""What a book says, as values."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from textwrap import dedent

import pytest

from slastream.book import from_published, load, publishable, to_published
from slastream.core.calendar import DayRule, HolidayRule
from slastream.core.errors import Misconfigured
from slastream.core.event import State
from slastream.core.policy import Book, Indicator, Level, Mapped, Options, Policy, Target

HEAD = "apiVersion: slastream/v1\neffective_from: 2026-01-01T00:00:00Z\ntenant: acme\n"
H = 3_600_000
WHOLE_DAY = (0, 86_400)


def book(tmp_path: Path, text: str, head: str = HEAD) -> Book:
    file = tmp_path / "book.yaml"
    file.write_text(head + dedent(text))
    (found,) = load(file)
    return found


def policy(tmp_path: Path, lines: str, calendar: str = "24x7") -> Policy:
    found = book(tmp_path, f"policies:\n- name: x\n  calendar: {calendar}\n{lines}")
    return found.policies[0]


CONTRACT = """
calendars:
  paris:
    timezone: Europe/Paris
    open:
      mon-thu: ["08:30-12:30", "13:30-18:00"]
      fri: ["08:30-12:30", "13:30-17:00"]
    holidays: [{country: FR}]
    exceptions:
      - {date: 2026-12-24, closed: ["12:00-24:00"]}
      - {date: 2026-06-06, open: ["09:00-12:00"]}
  night-desk: {timezone: Europe/Paris, open: {daily: ["20:00-06:00"]}}
  always: 24x7
sources:
  connectwise:
    preset: connectwise
    timezone: UTC
    statuses: {"Waiting Client": waiting/client, "Waiting Parts": waiting/vendor, "Scheduled": responded}
    priorities: {"Priority 1 - Emergency": P1, "Priority 2 - Quick Response": P2}
policies:
  - name: gold
    when: {contract: gold, type: [incident, request]}
    calendar: paris
    targets:
      response:   {P1: PT15M, P2: PT1H, default: PT4H}
      plan:       {P1: PT1H,  P2: PT4H, default: P1BD}
      resolution: {P1: PT4H,  P2: PT8H, P3: P2BD, default: P5BD}
    at_risk: ["75%", "90%"]
    objective: {response: 95%, resolution: 90%}
  - name: everyone-else
    calendar: paris
"""


def test_the_example_of_the_contract(tmp_path: Path) -> None:
    """The book that the contract shows says what its comments say."""
    found = book(tmp_path, CONTRACT)

    assert ("acme", 1_767_225_600_000) == (found.tenant, found.effective_from)
    assert found.version.startswith("2026-01-01T00:00:00Z#")
    paris = found.calendars["paris"]
    assert ("Europe/Paris", (HolidayRule("FR"),)) == (paris.zone, paris.holidays)
    assert ((30_600, 45_000), (48_600, 64_800)) == paris.weekly[0] == paris.weekly[3]
    assert ((30_600, 45_000), (48_600, 61_200)) == paris.weekly[4]
    assert ((), ()) == paris.weekly[5:]
    assert (
        DayRule(date=date(2026, 12, 24), closed=((43_200, 86_400),)),
        DayRule(date=date(2026, 6, 6), open=((32_400, 43_200),)),
    ) == paris.exceptions
    assert (((72_000, 108_000),),) * 7 == found.calendars["night-desk"].weekly
    assert found.calendars["always"].unbroken
    source = found.sources["connectwise"]
    assert Mapped(State.WAITING, "vendor") == source.statuses["", "waiting parts", ""]
    assert Mapped(State.IN_PROGRESS) == source.statuses["", "in progress", ""]
    assert "P1" == source.priorities["priority 1 - emergency"]
    gold, rest = found.policies
    assert {"contract": ("gold",), "type": ("incident", "request")} == gold.when
    assert Target(15 * 60_000, "ms", "PT15M") == gold.targets[Indicator.RESPONSE]["p1"]
    assert Target(1, "bd", "P1BD") == gold.targets[Indicator.PLAN]["default"]
    assert (Level("percent", 75, "75%"), Level("percent", 90, "90%")) == gold.at_risk
    assert {Indicator.RESPONSE: 95.0, Indicator.RESOLUTION: 90.0} == gold.objective
    assert Policy("everyone-else", "paris") == rest


def test_yaml_1_1_traps_are_text(tmp_path: Path) -> None:
    """NO is Norway, `on` a status and 1 a code: a book has no surprises of YAML 1.1."""
    found = book(
        tmp_path,
        """
        calendars:
          oslo: {timezone: Europe/Oslo, open: {mon: 08:30-12:30}, holidays: [{country: NO}]}
        sources: {desk: {statuses: {on: new, 010: resolved, No: closed, 1: responded}}}
        """,
    )

    assert (HolidayRule("NO"),) == found.calendars["oslo"].holidays
    assert ((30_600, 45_000),) == found.calendars["oslo"].weekly[0]
    assert {"on", "010", "no", "1"} == {at[1] for at in found.sources["desk"].statuses}


def test_a_day_goes_before_a_range_and_a_range_before_daily(tmp_path: Path) -> None:
    """The narrower line decides, in whatever order they stand."""
    text = """
    calendars:
      a:
        open:
          wed: []
          daily: ["00:00-24:00"]
          sat-mon: ["10:00-11:00"]
          sun: ["12:00-13:00"]
    """

    weekly = book(tmp_path, text).calendars["a"].weekly

    ten, noon = ((36_000, 39_600),), ((43_200, 46_800),)
    all_day = (WHOLE_DAY,)
    assert (ten, all_day, (), all_day, all_day, ten, noon) == weekly


def test_windows_that_touch_or_overlap_are_one(tmp_path: Path) -> None:
    """Windows of a day come in order and apart."""
    text = 'calendars: {a: {open: {mon: ["12:00-14:00", "08:00-10:00", "09:30-12:00:30"]}}}'

    weekly = book(tmp_path, text).calendars["a"].weekly

    assert ((28_800, 50_400),) == weekly[0]


def test_a_calendar_extends_another(tmp_path: Path) -> None:
    """A client's calendar is the national one, with its own days and rules on top."""
    text = """
    calendars:
      client:
        extends: national
        open: {sat: ["09:00-12:00"], fri: []}
        holidays: [{yearly: "12-27", label: Patron}]
      national:
        timezone: Europe/Paris
        open: {mon-fri: ["09:00-17:00"]}
        holidays: [{country: FR}]
        exceptions: [{date: 2026-05-15, closed: true}]
    """

    client = book(tmp_path, text).calendars["client"]

    assert "Europe/Paris" == client.zone
    assert ((32_400, 61_200),) == client.weekly[3]
    assert ((), ((32_400, 43_200),), ()) == client.weekly[4:]
    assert (HolidayRule("FR"),) == client.holidays
    assert (
        DayRule(date=date(2026, 5, 15), closed=(WHOLE_DAY,)),
        DayRule(yearly=(12, 27), closed=(WHOLE_DAY,), label="Patron"),
    ) == client.exceptions


def test_recurring_exceptions(tmp_path: Path) -> None:
    """An rrule names days, from a first one on if that is said."""
    text = """
    calendars:
      a:
        open: {mon: ["09:00-17:00"]}
        exceptions:
          - {rrule: "FREQ=MONTHLY;BYDAY=1MO", from: 2026-02-01, closed: ["09:00-10:00"]}
    """

    (rule,) = book(tmp_path, text).calendars["a"].exceptions

    assert (date(2026, 2, 1), "FREQ=MONTHLY;BYDAY=1MO", None) == (rule.date, rule.rrule, rule.open)


def test_24x7_needs_no_declaration_and_takes_days(tmp_path: Path) -> None:
    """A policy may say 24x7 itself, and only there a target may count days of 24 hours."""
    found = book(tmp_path, "policies: [{name: x, calendar: 24x7, targets: {plan: P1DT4H}}]")

    assert found.calendars["24x7"].unbroken
    assert Target(28 * H, "ms", "P1DT4H") == found.policies[0].targets[Indicator.PLAN]["default"]


def test_a_priority_without_a_target_beside_a_default(tmp_path: Path) -> None:
    """`null` takes one priority out of the default row, or a whole indicator out of the promise."""
    targets = policy(tmp_path, "  targets: {plan: {P4: ~, default: PT4H}, response: null}").targets

    assert {Indicator.PLAN} == set(targets)
    assert {"p4": None, "default": Target(4 * H, "ms", "PT4H")} == targets[Indicator.PLAN]


def test_levels(tmp_path: Path) -> None:
    """Levels are shown as a person reads them."""
    found = policy(tmp_path, '  at_risk: ["12.5 %", PT15M]\n  overdue: ["PT1H", "150%"]')

    assert (
        Level("percent", 12.5, "12.5%"),
        Level("remaining", H / 4, "PT15M left"),
    ) == found.at_risk
    assert (Level("overdue", H, "PT1H over"), Level("percent", 150, "150%")) == found.overdue


def test_one_objective_for_all_indicators(tmp_path: Path) -> None:
    """An objective without indicators is that of each."""
    assert dict.fromkeys(Indicator, 99.5) == policy(tmp_path, "  objective: 99.5").objective


def test_conditions_are_folded(tmp_path: Path) -> None:
    """Case and blanks make no difference; a site's own attributes may be asked for."""
    when = policy(
        tmp_path, "  when: {client: [Harbour  Dental, harbour dental], attributes.VIP: true}"
    )

    assert {"client": ("harbour dental",), "attributes.VIP": ("true",)} == when.when


def test_options_of_the_book_are_defaults_of_its_policies(tmp_path: Path) -> None:
    """A policy starts from the book's options and changes its own."""
    found = book(
        tmp_path,
        """
        options:
          retarget: strictest_ever
          reopen: {new_cycle_after: P5BD}
          grace: PT1M
          origin: {Portal: skip}
          enforce_from: 2026-02-01T00:00:00+01:00
        policies:
        - {name: a, calendar: 24x7}
        - {name: b, calendar: 24x7, options: {retarget_down: from_change, reopen: ignore}}
        """,
    )
    a, b = (it.options for it in found.policies)

    assert found.extra["options"] == a
    assert ("strictest_ever", "strictest_ever") == (a.retarget_up, a.retarget_down)
    assert ("new_cycle_after", Target(5, "bd", "P5BD")) == (a.reopen, a.new_cycle_after)
    assert (60_000, 1_769_900_400_000) == (a.grace, a.enforce_from)
    assert {"phone": "immediate", "portal": "skip"} == a.origin
    assert ("strictest_ever", "from_change") == (b.retarget_up, b.retarget_down)
    assert ("ignore", None, 60_000) == (b.reopen, b.new_cycle_after, b.grace)


def test_every_option_of_the_contract_takes_every_value(tmp_path: Path) -> None:
    """Each spelling of the contract is accepted, and the default changes nothing."""
    from slastream.book.promises import CHOICES, REOPEN, SWITCHES

    for name, values in {**CHOICES, "reopen": REOPEN}.items():
        for value in values:
            if value == "new_cycle_after":
                continue
            found = book(tmp_path, f"options: {{{name}: {value}}}").extra["options"]
            assert (found == Options()) is (value == values[0])
    for name in SWITCHES:
        assert getattr(book(tmp_path, f"options: {{{name}: true}}").extra["options"], name) is True


def test_sub_statuses_and_boards(tmp_path: Path) -> None:
    """A status may depend on a second word and on the board, in either way of writing it."""
    found = book(
        tmp_path,
        """
        sources:
          snow:
            sub_statuses:
              "On Hold / Awaiting Caller": waiting/client
              Held: {Vendor: waiting/vendor}
            boards:
              Projects:
                statuses: {New: cancelled/void}
                sub_statuses: {"A / B / C": waiting/provider}
        """,
    ).sources["snow"]

    assert {
        ("", "on hold", "awaiting caller"): Mapped(State.WAITING, "client"),
        ("", "held", "vendor"): Mapped(State.WAITING, "vendor"),
        ("projects", "new", ""): Mapped(State.CANCELLED, "void"),
        ("projects", "a", "b / c"): Mapped(State.WAITING, "provider"),
    } == found.statuses


def test_a_book_goes_over_its_preset(tmp_path: Path) -> None:
    """A status that the book writes is meant whole: the preset's sub-statuses of it go."""
    found = book(
        tmp_path,
        """
        sources:
          snow:
            preset: servicenow
            timezone: Europe/Paris
            statuses: {"on hold": in_progress}
            priorities: {"1": Urgent}
        """,
    ).sources["snow"]

    assert Mapped(State.IN_PROGRESS) == found.statuses["", "on hold", ""]
    assert not any(at[1] == "on hold" and at[2] for at in found.statuses)
    assert Mapped(State.WAITING, "client") == found.statuses["", "3", "awaiting caller"]
    assert ("Urgent", "P2") == (found.priorities["1"], found.priorities["2"])
    assert ("servicenow", "Europe/Paris") == (found.preset, found.timezone)


def test_clients_have_one_name(tmp_path: Path) -> None:
    """A source's names and numbers of clients are read without regard to case, and kept as written."""
    found = book(
        tmp_path,
        """
        sources:
          cw:
            preset: connectwise
            clients: {HARBOURDENTAL: Harbour Dental, "Harbour  dental Ltd": Harbour Dental, 311: Leith}
          jira: {preset: jira}
        """,
    ).sources

    assert {
        "harbourdental": "Harbour Dental",
        "harbour dental ltd": "Harbour Dental",
        "311": "Leith",
    } == found["cw"].clients
    assert {} == found["jira"].clients


def test_a_preset_is_used_only_where_it_is_written(tmp_path: Path) -> None:
    """A source that is named like a vendor has that vendor's words only if it says so."""
    assert not book(tmp_path, "sources: {jira: {timezone: UTC}}").sources["jira"].statuses


def test_a_folder_holds_tenants_versions_and_pieces(tmp_path: Path) -> None:
    """Files of one tenant and date are one book; names of different tenants never meet."""
    later = HEAD.replace("2026-01", "2026-07")
    undated = "apiVersion: slastream/v1\ntenant: beta\n"
    calendar = 'calendars: {desk: {timezone: %s, open: {mon: ["09:00-17:00"]}}}\n'
    (tmp_path / "sub").mkdir()
    (tmp_path / "a1.yaml").write_text(HEAD + calendar % "UTC")
    (tmp_path / "a2.yaml").write_text(HEAD + "policies: [{name: p, calendar: desk}]\n")
    (tmp_path / "a3.yml").write_text(later + "policies: [{name: q, calendar: 24x7}]\n")
    (tmp_path / "sub/b1.yaml").write_text(undated + "policies: [{name: p, calendar: desk}]\n")
    (tmp_path / "b2.yaml").write_text(HEAD.replace("acme", "beta") + calendar % "Asia/Tokyo")
    (tmp_path / "notes.txt").write_text("no book")

    first, second, beta = load(tmp_path)

    assert ("acme", "acme", "beta") == (first.tenant, second.tenant, beta.tenant)
    assert first.effective_from < second.effective_from
    assert ("p", "UTC") == (first.policies[0].name, first.calendars["desk"].zone)
    assert "Asia/Tokyo" == beta.calendars["desk"].zone


def test_a_mounted_config_map_is_read_once(tmp_path: Path) -> None:
    """Kubernetes mounts each file as a link into a folder that begins with dots."""
    (tmp_path / "..2026_01").mkdir()
    (tmp_path / "..2026_01/book.yaml").write_text(HEAD + "calendars: {x: 24x7}\n")
    (tmp_path / "..data").symlink_to(tmp_path / "..2026_01")
    (tmp_path / "book.yaml").symlink_to(tmp_path / "..data/book.yaml")

    (found,) = load(tmp_path)

    assert {"x"} == set(found.calendars)


def test_pieces_of_a_book_may_not_repeat_each_other(tmp_path: Path) -> None:
    """A name that two files give is a mistake that names both places."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(HEAD + "calendars: {x: 24x7}\noptions: {}\n")

    with pytest.raises(Misconfigured) as caught:
        load(tmp_path)

    text = str(caught.value).replace(f"{tmp_path}/", "")
    assert "b.yaml:5: options: the book has options: already, in a.yaml" in text
    assert "b.yaml:4: calendars.x: there is a calendar 'x' already, at a.yaml:4" in text


def test_an_undated_piece_of_two_versions(tmp_path: Path) -> None:
    """A piece without a date belongs to the tenant's only version, and to none of two."""
    (tmp_path / "a.yaml").write_text(HEAD)
    (tmp_path / "b.yaml").write_text(HEAD.replace("2026-01", "2026-07"))
    (tmp_path / "c.yaml").write_text("apiVersion: slastream/v1\ntenant: acme\n")

    with pytest.raises(Misconfigured, match="is missing, and acme has 2 versions here"):
        load(tmp_path)


def test_publishing_and_reading_back(tmp_path: Path) -> None:
    """A book comes off the topic as it was: presets, feeds, options and missing targets included."""
    file = Path(__file__).parents[3] / "deploy/books/acme-msp.yaml"

    ((found, published),) = publishable(file)

    assert load(file) == [found] == [from_published(published)]
    assert publishable(file) == [(found, published)]


def test_the_version_follows_the_content(tmp_path: Path) -> None:
    """Comments and layout make no version; a changed promise does."""
    one = book(tmp_path, "policies: [{name: x, calendar: 24x7, targets: {plan: PT1H}}]")
    same = book(
        tmp_path,
        "# said better\npolicies:\n- {calendar: 24x7, name: x, targets: {plan: {default: PT1H}}}",
    )
    other = book(tmp_path, "policies: [{name: x, calendar: 24x7, targets: {plan: PT2H}}]")

    assert one.version == same.version != other.version


def test_clients_are_part_of_the_version_where_there_are_any(tmp_path: Path) -> None:
    """A book from before there was such a map keeps its name; one client more makes a new version."""
    plain, none, one = (
        book(tmp_path, f"sources: {{cw: {{timezone: UTC{more}}}}}")
        for more in ("", ", clients: {}", ", clients: {A: B}")
    )
    file = tmp_path / "book.yaml"
    ((_, published),) = publishable(file)

    assert plain.version == none.version != one.version
    assert from_published(published) == one
    assert b"clients" not in to_published(plain)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: raw[:-1], "a published book is not JSON"),
        (lambda raw: b"[]", "no published book of the format"),
        (lambda raw: raw.replace(b"PT1H", b"PT9H"), "does not hold what its hash says"),
        (lambda raw: b'{"format": "slastream/book/v1", "effective_from": 0}', "its hash says"),
        (lambda raw: b'{"format": "slastream/book/v1"}', "cannot be read"),
    ],
)
def test_changed_bytes_are_refused(tmp_path: Path, change: object, message: str) -> None:
    """A published book that was cut or edited is refused, never half read."""
    file = tmp_path / "book.yaml"
    file.write_text(HEAD + "policies: [{name: x, calendar: 24x7, targets: {plan: PT1H}}]\n")
    ((_, published),) = publishable(file)

    with pytest.raises(Misconfigured, match=message):
        from_published(change(published))  # type: ignore[operator]
