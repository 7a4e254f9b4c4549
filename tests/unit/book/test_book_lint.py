"""What the linter says, one test a code."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from slastream.book.lint import LINTS, Finding, lint, owed_by_provider
from slastream.book.loading import read

HEAD = "apiVersion: slastream/v1\neffective_from: 2026-01-01T00:00:00Z\ntenant: acme\n"


def findings(tmp_path: Path, text: str) -> list[Finding]:
    file = tmp_path / "book.yaml"
    file.write_text(HEAD + dedent(text))
    (loaded,) = read(file)
    return lint(loaded)


def policies(*lines: str) -> str:
    return "policies:\n" + "".join(f"- {{{line}}}\n" for line in lines)


ONE = policies("name: x, calendar: 24x7")

CASES: dict[str, tuple[str, str]] = {
    "provider-owes": (
        "sources: {d: {statuses: {Scheduled: waiting/client, Working: in_progress}}}\n" + ONE,
        "book.yaml:4: sources.d.statuses.Scheduled: 'Scheduled' pauses the clock, but its name"
        " says that the next step is ours (map it to responded, in_progress or waiting/provider,"
        " or waiting/scheduled_by_client if the client chose the date) [provider-owes]",
    ),
    "waiting-on-nobody": (
        "sources: {d: {statuses: {Parked: waiting, Working: in_progress}}}\n" + ONE,
        "'Parked' pauses the clock for nobody in particular (write waiting/client or another)",
    ),
    "no-response-status": (
        "sources: {d: {statuses: {New: new, Fixed: resolved}}}\n" + ONE,
        "no status of 'd' means responded or in_progress",
    ),
    "resolved-by-closing": (
        "sources: {d: {statuses: {Work: in_progress, Gone: closed}}}\n" + ONE,
        "no status of 'd' means resolved, so only closing stops the clock",
    ),
    "unmapped-vendor-status": (
        "sources: {d: {preset: halopsa}}\n" + ONE,
        "no mapping for 'Awaiting Approval', which means something else at every site",
    ),
    "status-typo": (
        'sources: {d: {preset: zammad, statuses: {"pending remindr": waiting/client}}}\n' + ONE,
        "'pending remindr' is no status of Zammad (did you mean 'pending reminder'?)",
    ),
    "preset-not-used": (
        "sources: {rt: {statuses: {work: in_progress}}}\n" + ONE,
        "'rt' does not use the preset of that name (write preset: rt)",
    ),
    "no-policies": ("", "the book promises nothing"),
    "policy-shadowed": (
        policies(
            "name: all, calendar: 24x7, rank: 1",
            "name: gold, calendar: 24x7, when: {contract: gold}",
        ),
        "book.yaml:6: policies.gold: every ticket of 'gold' goes to 'all'"
        " (raise its rank, or narrow the other) [policy-shadowed]",
    ),
    "policy-never-valid": (
        policies(
            "name: x, calendar: 24x7, valid_from: 2026-02-01T00:00:00Z,"
            " valid_to: 2026-02-01T00:00:00Z"
        ),
        "valid until 2026-02-01T00:00:00.000Z, which is not after",
    ),
    "target-out-of-reach": (
        'calendars: {c: {timezone: UTC, exceptions: [{date: 2026-06-06, open: ["09:00-10:00"]}]}}\n'
        + policies("name: x, calendar: c, targets: {plan: PT4H, response: P2BD}"),
        "PT4H is more than 'c' is open in a year (1 h 00 min)",
    ),
    "level-out-of-place": (
        policies('name: x, calendar: 24x7, targets: {plan: PT1H}, at_risk: ["150%"]'),
        "150% warns when it is too late (use overdue:)",
    ),
    "level-before-start": (
        policies("name: x, calendar: 24x7, targets: {plan: {P1: PT15M}}, at_risk: [PT15M]"),
        "PT15M left of plan P1: PT15M is no longer",
    ),
    "levels-without-target": (
        policies('name: x, calendar: 24x7, at_risk: ["75%"]'),
        "'x' has levels or an objective and no target",
    ),
    "priority-never-given": (
        "sources: {d: {priorities: {High: P1}}}\n"
        + policies("name: x, calendar: 24x7, targets: {plan: {P1: PT1H, P7: PT2H}}"),
        "policies.x.targets.plan.p7: no source produces the priority 'P7' (produced: P1)",
    ),
    "client-never-given": (
        'sources: {d: {clients: {"14": Maison Verte}}}\n'
        + policies("name: x, calendar: 24x7, when: {client: [Maison Verte, 14, Leith]}"),
        "policies.x.when.client: '14' is a name of d alone"
        " (write 'Maison Verte', as sources.d.clients has it)",
    ),
    "calendar-unused": (
        'calendars: {c: {timezone: UTC, open: {mon: ["09:00-10:00"]}}}\n' + ONE,
        "book.yaml:4: calendars.c: nothing uses the calendar 'c' [calendar-unused]",
    ),
    "calendar-no-timezone": (
        'calendars: {c: {open: {daily: ["09:00-10:00"]}}}\n' + policies("name: x, calendar: c"),
        "the hours of 'c' are read as UTC; write timezone:",
    ),
}


def test_every_lint_is_tested() -> None:
    """Each code has a test here and a line of explanation."""
    assert set(LINTS) == set(CASES)
    assert all(why.endswith(".") for why in LINTS.values())


@pytest.mark.parametrize(("code", "text", "message"), [(c, *case) for c, case in CASES.items()])
def test_a_lint(tmp_path: Path, code: str, text: str, message: str) -> None:
    """The linter says what looks wrong, where, and what to write."""
    said = [
        str(it).replace(f"{tmp_path}/", "") for it in findings(tmp_path, text) if it.code == code
    ]

    assert any(message in line for line in said), said


def test_a_client_may_be_told_of_by_a_source_without_names_for_it(tmp_path: Path) -> None:
    """A name that no map yields is a mistake only where every source that may tell of it has a map."""
    asked = policies("name: x, calendar: 24x7, when: {client: Leith}")
    mapped = "sources: {a: {clients: {L: Leith Motors}}, b: {preset: jira%s}}\n" + asked
    narrow = asked.replace("client: Leith", "client: Leith, source: a")

    def told(text: str) -> list[str]:
        return [it.message for it in findings(tmp_path, text) if it.code == "client-never-given"]

    assert not told(mapped % "")
    assert told(mapped % ", clients: {M: Leith Mills}") == [
        "no source's clients: names a client 'leith'"
    ]
    assert told(mapped.replace(asked, narrow) % "")
    assert not told(mapped.replace("Leith Motors", "LEITH") % "")


@pytest.mark.parametrize(
    "label",
    ["Scheduled", "To be called back", "Waiting internal approval", "Escalated to N2", "Planifié",
     "À rappeler", "Attente validation interne", "Escaladé N2", "Client responded", "Call Back"],
)  # fmt: skip
def test_whose_turn_it_is_by_name_ours(label: str) -> None:
    """Names that say that the provider owes the next step, in English and French."""
    assert owed_by_provider(label)


@pytest.mark.parametrize(
    "label",
    ["Waiting for customer", "Attente client", "Attente fournisseur", "Pending", "On Hold",
     "With Supplier", "En attente", "pending reminder", "Waiting Parts", "Suspendu"],
)  # fmt: skip
def test_whose_turn_it_is_by_name_theirs(label: str) -> None:
    """Names that say nothing of the kind."""
    assert not owed_by_provider(label)


def test_a_policy_with_a_winner_of_its_own_is_not_shadowed(tmp_path: Path) -> None:
    """Other values, other times and a more specific loser leave a policy alone."""
    text = policies(
        "name: a, calendar: 24x7, when: {contract: gold}",
        "name: b, calendar: 24x7, when: {contract: [gold, silver]}",
        "name: c, calendar: 24x7, when: {contract: gold, type: incident}",
        "name: d, calendar: 24x7, rank: 5, when: {client: x}, valid_to: 2026-02-01T00:00:00Z",
        "name: e, calendar: 24x7, when: {client: x}",
        "name: z, calendar: 24x7",
    )

    assert [] == findings(tmp_path, text)


def test_a_scheduled_visit_that_the_client_chose_pauses(tmp_path: Path) -> None:
    """The exception of D36 is not complained about."""
    text = (
        "sources: {d: {statuses: {Planifié: waiting/scheduled_by_client, W: in_progress}}}\n" + ONE
    )

    assert [] == findings(tmp_path, text)


def test_the_example_books_are_clean() -> None:
    """The books that we ship have nothing for the linter to say."""
    for loaded in read(Path(__file__).parents[3] / "deploy/books"):
        assert [] == lint(loaded)
