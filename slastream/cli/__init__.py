"""The command line: one verb, one file. This file knows the verbs' names, not what they do.

A verb's module is imported when that verb is called, so that `slastream --help` stays instant and
a missing extra hurts only the verb that needs it.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping

import click

from slastream import __version__

VERBS: Mapping[str, tuple[str, str]] = {
    "up": ("slastream.cli.up", "A first look: broker, worker, a day of tickets, and its alerts."),
    "worker": ("slastream.cli.worker", "Run the worker against a Kafka cluster."),
    "check": ("slastream.cli.check", "Validate and lint a policy book."),
    "backtest": ("slastream.cli.backtest", "Judge a file of ticket events offline."),
    "explain": ("slastream.cli.explain", "Say why a ticket's clocks say what they say."),
    "book": ("slastream.cli.book", "Publish policy books, and list what is in force."),
    "replay": ("slastream.cli.replay", "Publish a file of ticket events to Kafka."),
    "sources": ("slastream.cli.sources", "Which ticket systems are read, and how to wire one up."),
    "gateway": ("slastream.cli.gateway", "Receive webhooks and write them to the raw topics."),
    "notify": ("slastream.cli.notify", "Tell PagerDuty, Alertmanager, Slack, Teams, a webhook."),
    "dlq": ("slastream.cli.dlq", "List dead letters, show one, send corrected ones again."),
    "board": ("slastream.cli.board", "A web page of what is about to break, and of what was kept."),
    "forget": ("slastream.cli.forget", "Erase a client's data on request, and say what is left."),
    "topics": ("slastream.cli.topics", "Create, compare and render the topics."),
}
"""Verb -> (module with a `command`, its line in the help)."""


class Verbs(click.Group):
    """A group that imports a verb when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command = importlib.import_module(VERBS[cmd_name][0]).command
        if not isinstance(command, click.Command):
            raise TypeError(f"{VERBS[cmd_name][0]}.command is no click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(verb, line) for verb, (_, line) in VERBS.items()])


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="slastream")
def root() -> None:
    """Real-time SLA timers over Kafka: at-risk and breach alerts, exactly once.

    Exit codes: 0 done, 1 it ran and the answer is no, 2 wrong usage or input.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run one verb and exit with its code.

    What an operator can mend (`Misconfigured`, `Rejected`) becomes one line on stderr and code 2;
    a bug keeps its traceback.
    """
    from slastream.cli.console import fail
    from slastream.core.errors import Misconfigured, Rejected

    try:
        root.main(args=arguments, prog_name="slastream")
    except (Misconfigured, Rejected) as problem:
        fail(str(problem))
        sys.exit(2)
