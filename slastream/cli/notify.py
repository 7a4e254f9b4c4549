"""`slastream notify`: alerts, and what clears them, to those who must act."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slastream.cli.console import fail, format_option, note, progress, quiet_libraries, show
from slastream.core.errors import Misconfigured
from slastream.core.instant import format_instant
from slastream.running import NOISY, log_to_stderr, run_to_end
from slastream.settings import Settings

if TYPE_CHECKING:
    from slastream.notify.route import Route
    from slastream.notify.standing import Incident

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group("notify")
def command() -> None:
    """Tell PagerDuty, Alertmanager, Slack, Teams, or a signed webhook.

    FILE lists the routes: who is told which alerts. Each is a consumer group of its own.
    """


@command.command("run")
@click.argument("file", type=_FILE)
@click.option("--broker", help="Bootstrap servers, host:port, separated by commas.")
@click.option("--prefix", help="What all topic names begin with.")
@click.option("--app-id", help="What the routes' consumer groups begin with.")
@click.option(
    "--time", type=click.Choice(["wall", "log"]),
    help="log: these are the topics of a simulated run; only routes with simulated: true tell.",
)  # fmt: skip
@click.option("--web-host", help="Where /livez, /readyz and /metrics are; loopback, else.")
@click.option(
    "--web-port", type=click.IntRange(0, 65535), default=6068, show_default=True,
    envvar="SLASTREAM_WEB_PORT", show_envvar=True,
    help="Port of /livez, /readyz and /metrics; 0 for none. A worker's is another.",
)  # fmt: skip
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]))
def run(file: Path, **flags: Any) -> None:
    """Tell the receivers of FILE until SIGTERM or SIGINT.

    At least once: what is told twice bears the id under which its receiver folds it. What a
    receiver refuses becomes a dead letter.
    """
    settings = Settings.from_environment(**flags)
    from slastream.notify.routes import load
    from slastream.notify.service import serve

    routes = load(file)
    log_to_stderr(settings.log_level, NOISY)
    code = run_to_end(serve(settings, routes))
    sys.exit(code)


@command.command("check")
@click.argument("file", type=_FILE)
@format_option
def check(file: Path, form: str) -> None:
    """Read FILE and the secrets it names, and list its routes. Nothing is sent."""
    from slastream.notify.post import tls
    from slastream.notify.routes import load
    from slastream.notify.service import group_of

    settings = Settings.from_environment()
    routes = load(file)
    for route in routes:
        tls(route)
    rows = [
        {
            "route": route.name,
            "kind": route.kind,
            "receiver": route.shown,
            "when": "; ".join(f"{name} {'|'.join(told)}" for name, told in route.when.items())
            or "always",
            "a second": route.rate,
            "at once": route.burst,
            "group": group_of(settings, route.name),
        }
        for route in routes
    ]
    show(rows, form)


@command.command("test")
@click.argument("file", type=_FILE)
@click.option("--route", "name", required=True, help="The route to try.")
@click.option("--clear", is_flag=True, help="Send what clears the test message, too.")
def test(file: Path, name: str, clear: bool) -> None:
    """Send one message to a route of FILE, marked as a test. Kafka is not asked.

    Exit code 1 when the receiver does not take it.
    """
    from slastream.notify.post import DONE
    from slastream.notify.trial import tried

    route = _route(file, name)
    for cleared in (False, True) if clear else (False,):
        answer = asyncio.run(tried(route, clear=cleared))
        if answer.outcome != DONE:
            fail(f"{name} did not take it: {answer.detail} [{answer.reason}]")
            sys.exit(1)
        note(f"{name} took {'what clears it' if cleared else 'the test message'}.")


@command.command("standing")
@click.argument("file", type=_FILE)
@click.option("--route", "name", required=True, help="Whose conditions count.")
@click.option("--broker", help="Bootstrap servers, host:port, separated by commas.")
@click.option("--prefix", help="What all topic names begin with.")
@click.option("--time", type=click.Choice(["wall", "log"]), help="log: of a simulated run.")
@click.option("--tell", is_flag=True, help="Tell the receiver of each once more.")
@format_option
def standing(file: Path, name: str, tell: bool, form: str, **flags: Any) -> None:
    """List what stands for a route of FILE: alerts that nothing has cleared.

    Read off the whole topic, whatever the route told so far. With --tell its receiver is told again,
    under the same keys: after a key was mended, or a receiver lost what it had. Exit code 1 when it
    does not take one.
    """
    settings = Settings.from_environment(**flags)
    from slastream.notify.review import standing_of
    from slastream.notify.words import plain, ticket

    route = _route(file, name)
    quiet_libraries()
    incidents = asyncio.run(standing_of(settings, route))
    rows = [
        {
            "since": format_instant(each.first.logged_at),
            "incident": plain(each.first.dedup_key, 200),
            "level": plain(each.latest.text("threshold")),
            "ticket": ticket(each.latest),
            "client": plain(each.latest.text("client")) or None,
            "alert": each.latest.id,
        }
        for each in incidents
    ]
    show(rows, form)
    if not rows:
        note("Nothing stands.")
    elif tell:
        sys.exit(asyncio.run(_tell(route, incidents)))


async def _tell(route: Route, incidents: list[Incident]) -> int:
    from slastream.notify.post import DONE
    from slastream.notify.review import told_again

    taken = 0
    with progress("telling", len(incidents)) as advance:
        async for incident, answer in told_again(route, incidents):
            advance(1)
            taken += answer.outcome == DONE
            if answer.outcome != DONE:
                fail(f"{incident.first.dedup_key} is not taken: {answer.detail} [{answer.reason}]")
    note(f"{route.name} took {taken} of {len(incidents)}.")
    return 0 if taken == len(incidents) else 1


def _route(file: Path, name: str) -> Route:
    from slastream.notify.routes import load

    routes = {route.name: route for route in load(file)}
    if name not in routes:
        raise Misconfigured(
            f"there is no route {name!r}", where=str(file), hint=f"one of {', '.join(routes)}"
        )
    return routes[name]
