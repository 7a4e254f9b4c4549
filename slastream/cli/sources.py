"""`slastream sources`: which ticket systems are read, and how each is to be wired up."""

from __future__ import annotations

from importlib import resources

import click
import orjson

from slastream.cli.console import format_option, show
from slastream.sources import SOURCES, About, read, source_module
from slastream.sources.files import recorded
from slastream.sources.samples import samples, shown

_SHOWN = ("key", "status", "event_time", "order", "delivery_id", "signature", "timezone")


@click.group("sources", invoke_without_command=True)
@format_option
@click.pass_context
def command(context: click.Context, form: str) -> None:
    """List the ticket systems that slastream reads; `show NAME` tells how one is read."""
    if context.invoked_subcommand is not None:
        return
    show(
        [
            {
                "source": name,
                "system": _about(name).title,
                "key": _about(name).key,
                "preset": _about(name).preset or name,
                "samples": len(samples(name)),
            }
            for name in SOURCES
        ],
        form,
    )


@command.command("show")
@click.argument("name", metavar="NAME")
@click.option("--sample", "wanted", help="Show this sample; default is the first one.")
@click.option("--preset", "whole_preset", is_flag=True, help="Print the preset of the book, whole.")
def show_(name: str, wanted: str | None, whole_preset: bool) -> None:
    """Tell how a source is read: its key, time, signature, and a sample in and out.

    Exits with 2 when there is no such source or sample.
    """
    if name not in SOURCES:
        raise click.UsageError(f"{name!r} is no source; there are {', '.join(SOURCES)}")
    about = _about(name)
    preset = about.preset or name
    if whole_preset:
        click.echo(_preset(preset), nl=False)
        return
    click.secho(about.title, bold=True)
    for member in _SHOWN:
        click.echo(f"  {member.replace('_', ' '):12} {getattr(about, member)}")
    click.echo(f"  {'preset':12} {preset} (slastream sources show {name} --preset prints it)")
    for note in about.notes:
        click.echo(f"  {'note':12} {note}")
    _show_sample(name, wanted)


def _show_sample(name: str, wanted: str | None) -> None:
    there = {sample["name"]: sample for sample in samples(name)}
    if wanted is not None and wanted not in there:
        raise click.UsageError(f"{name} has no sample {wanted!r}; there are {'; '.join(there)}")
    sample = there[wanted] if wanted is not None else next(iter(there.values()))
    delivery = sample["delivery"]
    click.echo(f"\nin: {sample['name']}. {sample['why']}")
    for header, value in delivery.get("headers", {}).items():
        click.echo(f"  {header}: {value}")
    if "key" in delivery:
        click.echo(f"  key: {_plain(delivery['key'])}")
    if "timezone" in delivery:
        click.echo(f"  timezone of the source: {delivery['timezone']}")
    click.echo(_pretty(delivery["body"]))
    events = read(recorded(delivery, name, "acme-msp"))
    for event in events:
        click.echo("\nout:")
        click.echo(_pretty(shown(event)))
    others = [other for other in there if other != sample["name"]]
    click.echo(f"\nother samples (--sample NAME): {'; '.join(others)}")


def _about(name: str) -> About:
    about = source_module(name).ABOUT
    assert isinstance(about, About)
    return about


def _preset(name: str) -> str:
    return (resources.files("slastream.book") / "presets" / f"{name}.yaml").read_text("utf-8")


def _plain(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _pretty(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
