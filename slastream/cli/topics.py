"""`slastream topics`: what the topics should be, what a broker has, and the difference."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click

from slastream.cli.console import format_option, note, show
from slastream.kafka import acls as permissions
from slastream.kafka import admin, compat, render, topics
from slastream.kafka.plan import Wanted, plan
from slastream.kafka.security import client_options
from slastream.kafka.topics import DEFAULT_PARTITIONS
from slastream.settings import Settings

Answer = TypeVar("Answer")
Command = TypeVar("Command", bound=Callable[..., Any])


@click.group("topics")
def command() -> None:
    """Create, compare and render the topics.

    What they should be is told once, in the topic files that come with slastream. Brokers are
    reached as SLASTREAM_BROKER and SLASTREAM_KAFKA_* say.
    """


def _planned(function: Command) -> Command:
    """The options that say which topics are meant."""
    for option in (
        click.option(
            "--source",
            "sources",
            multiple=True,
            help="A source that gets a raw topic; may be repeated. Default: those of topics/.",
        ),
        click.option("--simulated", is_flag=True, help="For runs whose log times a replay writes."),
        click.option("--replication", type=click.IntRange(1), default=1, show_default=True),
        click.option(
            "--partitions",
            type=click.IntRange(1),
            default=DEFAULT_PARTITIONS,
            show_default=True,
            help="Of the journal and of what follows from it.",
        ),
        click.option("--prefix", help="What all names begin with; SLASTREAM_PREFIX, else sla."),
    ):
        function = option(function)
    return function


broker_option = click.option("--broker", help="HOST:PORT, several separated by commas.")


@command.command("list")
@_planned
@format_option
def list_(form: str, **options: Any) -> None:
    """List what a cluster should have."""
    show(
        [
            {
                "topic": one.name,
                "partitions": one.partitions,
                "cleanup": one.config["cleanup.policy"],
                "retention": _days(one),
                "timestamps": one.config.get("message.timestamp.type", "CreateTime"),
                "key": one.topic.key,
                "owner": one.topic.owner,
            }
            for one in _plan(**options)
        ],
        form,
    )


@command.command("create")
@broker_option
@_planned
def create(broker: str | None, **options: Any) -> None:
    """Create the topics that a broker lacks; those it has are left as they are."""
    wanted = _plan(**options)
    made = _ask(admin.create(_client(broker), wanted))
    for name in made:
        click.echo(f"created {name}")
    note(f"{len(made)} created, {len(wanted) - len(made)} were there.")


@command.command("diff")
@broker_option
@_planned
@click.option("--apply", is_flag=True, help="Mend what can be mended.")
@format_option
def diff(broker: str | None, apply: bool, form: str, **options: Any) -> None:
    """Tell how a broker differs. Exit code 1 if it does."""
    wanted, client = _plan(**options), _client(broker)
    found = _ask(admin.mend(client, wanted) if apply else admin.diff(client, wanted))
    show(
        [
            {
                "topic": each.topic,
                "setting": each.setting or "(missing)",
                "should be": each.wanted,
                "is": each.found,
                "--apply": "mends it" if each.mendable else "cannot",
            }
            for each in found
        ],
        form,
    )
    note(f"{len(found)} differences." if found else "No difference.")
    sys.exit(1 if found else 0)


@command.command("render")
@click.option(
    "--format", "form", type=click.Choice(sorted(render.FORMATS)), required=True, help="For whom."
)
@_planned
def render_(form: str, **options: Any) -> None:
    """Render the topics for Strimzi, Jikkou, AsyncAPI or a page."""
    click.echo(render.FORMATS[form](_plan(**options)), nl=False)


@command.command("compat")
@click.argument(
    "old", required=False, type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@format_option
def compat_(old: Path | None, form: str) -> None:
    """Tell what breaks those who read what OLD promised. Exit code 1 if anything does.

    OLD is a folder of topic files with their schemas, those of the last release unless given.
    """
    place = old or topics.released()
    found = compat.breaks(place)
    show([{"topic": each.topic, "where": each.where, "what": each.what} for each in found], form)
    note(
        f"{len(found)} breaks since {place.name}."
        if found
        else f"Nothing breaks since {place.name}."
    )
    sys.exit(1 if found else 0)


@command.command("acls")
@click.option("--role", type=click.Choice(permissions.ROLES), help="Only this role.")
@click.option("--principal", help="The user that has the role, if not named like it.")
@click.option("--app-id", help="The worker's group; SLASTREAM_APP_ID, else slastream.")
@_planned
def acls_(role: str | None, principal: str | None, app_id: str | None, **options: Any) -> None:
    """Print the least that each role needs, as commands of Kafka's own tool."""
    name = app_id or Settings.from_environment().app_id
    for acl in permissions.acls(_plan(**options), name):
        if role in (None, acl.role):
            click.echo(acl.command(principal or acl.role))


async def create_topics(settings: Settings, *, simulated: bool = False, **options: Any) -> None:
    """Create the topics of these settings; what exists is left as it is."""
    wanted = plan(settings.prefix, simulated=simulated, **options)
    await admin.create(client_options(settings.broker), wanted)


async def remove_topics(settings: Settings) -> None:
    """Delete the topics of these settings, with all that is in them."""
    names = [one.name for one in plan(settings.prefix)]
    await admin.delete(client_options(settings.broker), names)


def _plan(
    prefix: str | None,
    partitions: int,
    replication: int,
    simulated: bool,
    sources: tuple[str, ...],
) -> list[Wanted]:
    settings = Settings.from_environment(prefix=prefix)
    return plan(
        settings.prefix, partitions, replication, simulated=simulated, sources=sources or None
    )


def _client(broker: str | None) -> dict[str, Any]:
    settings = Settings.from_environment(broker=broker)
    return client_options(settings.broker)


def _ask(question: Coroutine[Any, Any, Answer]) -> Answer:
    import logging

    # The library tells each attempt; we tell what came of them.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    return asyncio.run(question)


def _days(one: Wanted) -> str:
    if one.config["cleanup.policy"] == "compact":
        return "latest"
    milliseconds = int(one.config.get("retention.ms", "-1"))
    return "all" if milliseconds < 0 else f"{milliseconds // 86_400_000} d"
