"""The file of routes: what it may say, and that all its mistakes are told at once, each with its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from slastream.book import BookErrors
from slastream.cli import root
from slastream.core.errors import Misconfigured
from slastream.core.instant import MINUTE, SECOND
from slastream.notify.receivers import KINDS
from slastream.notify.routes import load
from slastream.notify.secret import Secret
from tests.support.alerts import alert

KEY = "0123456789abcdef0123456789abcdef"
SIGNING = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
GOOD = """routes:
  - name: night-desk
    kind: pagerduty
    routing_key: {file: key}
    when: {level: breached, priority: [p1, "P2"], client: Harbour  Dental}
    rate: 0.5
    give_up_after: PT2H
  - {name: ops, kind: alertmanager, url: "http://am:9093/prefix", repeat: PT30S, authorization: {env: AM}}
  - {name: channel, kind: slack, url: {env: SLACK}, cleared: false, simulated: true}
  - {name: dispatch, kind: teams, url: {file: teams}, start: beginning, timeout: PT3S, tries: 4}
  - name: psa
    kind: webhook
    url: https://psa.example/hook
    secret: [{file: signing}, {literal: twenty-four bytes or more}]
"""
ENVIRON = {
    "AM": "Bearer of-some-token",
    "SLACK": "https://hooks.slack.example/services/T0/B0/xyzzysecret",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "key").write_text(KEY + "\n", "utf-8")
    (tmp_path / "signing").write_text(SIGNING, "utf-8")
    (tmp_path / "teams").write_text("https://teams.example/workflows/1?sig=teamssecret\n", "utf-8")
    (tmp_path / "lines").write_text(f"{KEY}\n{KEY}\n", "utf-8")
    (tmp_path / "empty").write_text("\n", "utf-8")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00secret")
    return tmp_path


def read(folder: Path, text: str, environ: Any = None) -> Any:
    (folder / "routes.yaml").write_text(text, "utf-8")
    return load(folder / "routes.yaml", ENVIRON if environ is None else environ)


def mistakes(folder: Path, text: str) -> list[str]:
    """Return the mistakes of a file, without the folder it is in."""
    with pytest.raises(Misconfigured) as caught:
        read(folder, text)
    found = caught.value.problems if isinstance(caught.value, BookErrors) else [caught.value]
    return [str(each).replace(f"{folder}/", "") for each in found]


def test_a_file_of_routes(folder: Path) -> None:
    """Every kind with its members; what is left out has the kind's own values."""
    night, ops, channel, dispatch, psa = read(folder, GOOD)

    assert (night.name, night.kind, night.rate, night.burst) == (
        "night-desk",
        "pagerduty",
        0.5,
        1.0,
    )
    assert night.secrets[0].reveal() == KEY
    assert night.when == {
        "level": ("breached",),
        "priority": ("p1", "p2"),
        "client": ("harbour dental",),
    }
    assert night.give_up_after == 120 * MINUTE
    assert (ops.repeat, ops.authorization.reveal()) == (30 * SECOND, "Bearer of-some-token")
    assert (channel.cleared, channel.simulated, channel.rate) == (False, True, 1)
    assert channel.shown == "https://hooks.slack.example/***"
    assert (dispatch.start, dispatch.timeout, dispatch.tries) == ("beginning", 3 * SECOND, 4)
    assert [secret.reveal() for secret in psa.secrets] == [SIGNING, "twenty-four bytes or more"]
    assert (psa.start, psa.simulated, psa.shown) == ("now", False, "https://psa.example/hook")


def test_all_mistakes_at_once(folder: Path) -> None:
    """A file with many mistakes is told of every one of them, by line and key."""
    found = mistakes(folder, """routes:
  - name: Night Desk
    kind: pagerduty
    routing_key: {file: nowhere}
    rate: 0
  - name: b
    kind: alertmanger
  - name: b2
    kind: slack
    url: https://hooks.slack.example/services/xyzzysecret
    when: {levl: breached, level: risky, priority: []}
    repeat: PT1M
  - name: b2
    kind: webhook
    url: ftp://psa.example
    secret: {literal: short-one}
    colour: red
""")  # fmt: skip

    for part in (
        "routes.yaml:2: routes[0].name: 'Night Desk' cannot name a route",
        "routes.yaml:4: routes[0].routing_key.file: the file cannot be read: No such file",
        "routes.yaml:5: routes[0].rate: '0' is no rate",
        "routes.yaml:7: routes[1].kind: 'alertmanger' is not known here (did you mean 'alertmanager'?)",
        "routes.yaml:10: routes[2].url: the address of a slack webhook is its password",
        "routes.yaml:11: routes[2].when.levl: alerts have no 'levl' (did you mean 'level'?)",
        "routes.yaml:11: routes[2].when.level: 'risky' is not known here",
        "routes.yaml:11: routes[2].when.priority: an empty list lets nothing through",
        "routes.yaml:12: routes[2].repeat: slack has no repeat:",
        "routes.yaml:13: routes[3].name: there is a route 'b2' already",
        "routes.yaml:15: routes[3].url: is no address",
        "routes.yaml:16: routes[3].secret: is a key of 9 bytes; Standard Webhooks wants 24 to 64",
        "routes.yaml:17: routes[3].colour: unknown key 'colour'",
    ):
        assert [each for each in found if each.startswith(part)], (part, found)
    assert len(found) == 13


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "routes.yaml:1: the file is empty"),
        ("a: [", "routes.yaml:2: not YAML"),
        ("routes: []", "routes.yaml:1: routes: there is no route (see docs/notify.md)"),
        ("route: []", "routes.yaml:1: route: unknown key 'route' (did you mean 'routes'?)"),
        ("routes: [{kind: slack}]", "routes.yaml:1: routes[0]: a route needs a name:"),
        ("routes: [{name: a}]", "routes.yaml:1: routes[0]: a route needs a kind:"),
        ("routes: [{name: a, kind: pagerduty}]", "routes.yaml:1: routes[0]: a route needs a routing_key:"),
        ("routes: [{name: a, kind: webhook, url: 'https://x'}]",
         "routes.yaml:1: routes[0]: a route needs a secret:"),
        ("routes: [{name: a, kind: pagerduty, routing_key: abc}]",
         "routes.yaml:1: routes[0].routing_key: a secret does not stand in this file"),
        ("routes: [{name: a, kind: pagerduty, routing_key: {env: NONE}}]",
         "routes.yaml:1: routes[0].routing_key.env: the environment has no such variable"),
        ("routes: [{name: a, kind: pagerduty, routing_key: {file: empty}}]",
         "routes.yaml:1: routes[0].routing_key.file: holds fewer than 8 characters"),
        ("routes: [{name: a, kind: pagerduty, routing_key: {file: binary}}]",
         "routes.yaml:1: routes[0].routing_key.file: the file holds no text"),
        ("routes: [{name: a, kind: pagerduty, routing_key: {file: lines}}]",
         "routes.yaml:1: routes[0].routing_key.file: holds more than one line of text"),
        ("routes: [{name: a, kind: pagerduty, routing_key: {file: teams}}]",
         "routes.yaml:1: routes[0].routing_key: has 49 characters, an integration key has 32"),
        ("routes: [{name: a, kind: pagerduty, routing_key: {file: key, env: AM}}]",
         "routes.yaml:1: routes[0].routing_key: one of file, env and literal says where the secret is"),
        ("routes: [{name: a, kind: pagerduty, routing_key: {file: key}, url: 'http://pd.example/x'}]",
         "routes.yaml:1: routes[0].url: pagerduty is reached by https"),
        ("routes: [{name: a, kind: alertmanager, url: 'http://u:p@am'}]",
         "routes.yaml:1: routes[0].url: has a user in it"),
        ("routes: [{name: a, kind: alertmanager, url: 'http://am', repeat: PT5H}]",
         "routes.yaml:1: routes[0].repeat: is out of its limits: at least 1 s, at most 3600 s"),
        ("routes: [{name: a, kind: alertmanager, url: 'http://am', timeout: 10}]",
         "routes.yaml:1: routes[0].timeout: '10'"),
        ("routes: [{name: a, kind: alertmanager, url: 'http://am', ca: no.pem}]",
         "routes.yaml:1: routes[0].ca: there is no file 'no.pem'"),
        ("routes: [{name: a, kind: alertmanager, url: 'http://am', tries: 0}]",
         "routes.yaml:1: routes[0].tries: must be 1 or more"),
        ("routes: [{name: a, kind: webhook, url: 'https://x', secret: {literal: 'whsec_***'}}]",
         "routes.yaml:1: routes[0].secret: what follows whsec_ is not base64"),
        ("routes: [{name: a, kind: alertmanager, url: 'http://am', simulated: maybe}]",
         "routes.yaml:1: routes[0].simulated: 'maybe' is neither true nor false"),
        ("routes: [text]", "routes.yaml:1: routes[0]: expected a mapping"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(folder: Path, text: str, expected: str) -> None:
    """Whoever made it reads what is wrong, where, and mostly what to write."""
    found = mistakes(folder, text)

    assert found[0].startswith(expected), found


def test_no_message_shows_a_secret(folder: Path) -> None:
    """What stands where a secret belongs, or in its place, is in no message and no representation."""
    for text in (
        "routes: [{name: a, kind: pagerduty, routing_key: xyzzysecret}]",
        "routes: [{name: a, kind: pagerduty, routing_key: {file: xyzzysecret}}]",
        "routes: [{name: a, kind: pagerduty, routing_key: {env: xyzzysecret}}]",
        "routes: [{name: a, kind: pagerduty, routing_key: {literal: xyzzysecret}}]",
        "routes: [{name: a, kind: slack, url: 'https://hooks.slack.example/xyzzysecret'}]",
        "routes: [{name: a, kind: slack, url: {literal: 'xyzzysecret'}}]",
        "routes: [{name: a, kind: webhook, url: 'https://x', secret: {literal: xyzzysecret}}]",
        "routes: [{name: a, kind: webhook, url: 'https://x', secret: xyzzysecret}]",
        "routes: [{name: a, kind: webhook, url: 'https://x', secret: [xyzzysecret]}]",
        "routes: [{name: a, kind: alertmanager, url: 'http://x', authorization: xyzzysecret}]",
    ):
        assert "xyzzysecret" not in "".join(mistakes(folder, text))

    routes = read(folder, GOOD)

    assert "xyzzysecret" not in repr(routes)
    assert KEY not in repr(routes)
    assert SIGNING not in repr(routes)


def test_what_a_receiver_quotes_is_redacted(folder: Path) -> None:
    """An answer that repeats the key, the token, or the end of the address shows neither."""
    night, ops, channel, _, psa = read(folder, GOOD)

    assert night.redacted(f"no such key {KEY}!") == "no such key ***!"
    assert "of-some-token" not in ops.redacted("bad Bearer of-some-token")
    assert "xyzzysecret" not in channel.redacted("POST /services/T0/B0/xyzzysecret")
    assert SIGNING.removeprefix("whsec_") not in psa.redacted(
        f"key {SIGNING.removeprefix('whsec_')}"
    )
    assert psa.redacted("https://psa.example/hook") == "https://psa.example/hook"


def test_a_secret_is_read_again_when_its_file_changes(folder: Path) -> None:
    """A rotated secret is used without a restart; a file that is gone or half written changes nothing."""
    file = folder / "key"
    secret = Secret(file=file)
    file.write_text("f" * 32, "utf-8")

    assert secret.reveal() == "f" * 32
    file.write_text("", "utf-8")

    assert secret.reveal() == "f" * 32
    file.unlink()

    assert secret.reveal() == "f" * 32


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("{}", True),
        ("{level: at_risk}", True),
        ("{level: breached}", False),
        ("{priority: [P1, p2], client: HARBOUR-dental}", True),
        ("{priority: P1}", False),
        ('{threshold: "75%", indicator: resolution, policy: gold, tenant: acme-msp}', True),
        ("{team: desk}", False),
        ("{source: connectwise, type: [request, incident], contract: gold}", True),
    ],
)
def test_what_a_route_lets_through(folder: Path, when: str, expected: bool) -> None:
    """All conditions must fit, one value of each; case and blanks do not count."""
    [one] = read(
        folder, f"routes: [{{name: a, kind: alertmanager, url: 'http://am', when: {when}}}]"
    )

    assert one.passes(alert("at_risk", id_="a")) is expected


def test_check_lists_routes_and_mistakes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`notify check` shows who is told what, never with a secret; a mistake is exit code 2."""
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    file = folder / "routes.yaml"
    file.write_text(GOOD, "utf-8")
    done = CliRunner().invoke(root, ["notify", "check", str(file)])

    assert done.exit_code == 0
    assert "slastream-notify-night-desk" in done.stdout
    assert "level breached; priority p1|p2; client harbour dental" in done.stdout
    assert "xyzzysecret" not in done.output
    assert KEY not in done.output
    file.write_text("routes: [{name: a}]", "utf-8")

    assert isinstance(
        CliRunner().invoke(root, ["notify", "check", str(file)]).exception, Misconfigured
    )


def test_the_example_is_a_file_of_routes(tmp_path: Path) -> None:
    """What is shipped to begin with is read without a mistake, once its secrets are there."""
    shipped = Path(__file__).parents[3] / "deploy" / "examples" / "notify" / "routes.yaml"
    (tmp_path / "routes.yaml").write_text(shipped.read_text("utf-8"), "utf-8")
    (tmp_path / "secrets").mkdir()
    for name, text in {
        "pagerduty": KEY, "slack": "https://hooks.slack.example/services/T0/B0/x",
        "teams": "https://teams.example/workflows/1?sig=x", "reports": SIGNING, "reports.next": SIGNING,
    }.items():  # fmt: skip
        (tmp_path / "secrets" / name).write_text(text, "utf-8")

    assert {route.kind for route in load(tmp_path / "routes.yaml")} == set(KINDS)
