"""`slastream gateway`: receive webhooks and write them to the raw topics."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from slastream.cli.console import format_option, show
from slastream.running import log_to_stderr, run_to_end
from slastream.settings import Settings

_FILE = click.Path(path_type=Path, dir_okay=False)


def _env(name: str) -> str:
    return f"SLASTREAM_GATEWAY_{name}"


@click.command()
@click.option(
    "--endpoints", type=_FILE, required=True, envvar=_env("ENDPOINTS"), show_envvar=True,
    help="The file of endpoints: tenant, source, and the files of their secrets.",
)  # fmt: skip
@click.option("--broker", help="Bootstrap servers, host:port, separated by commas.")
@click.option("--prefix", help="What all topic names begin with.")
@click.option(
    "--host", default="127.0.0.1", show_default=True, envvar=_env("HOST"), show_envvar=True,
    help="Where webhooks are received: loopback, unless told otherwise.",
)  # fmt: skip
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8080, show_default=True,
    envvar=_env("PORT"), show_envvar=True, help="0 takes a free one.",
)  # fmt: skip
@click.option(
    "--cert", type=_FILE, envvar=_env("CERT"), show_envvar=True, help="For TLS: its chain."
)
@click.option("--key", type=_FILE, envvar=_env("KEY"), show_envvar=True, help="For TLS: its key.")
@click.option(
    "--max-body", type=click.IntRange(1_000, 16_000_000), default=1_000_000, show_default=True,
    envvar=_env("MAX_BODY"), show_envvar=True, help="Bytes; topics must take records of that size.",
)  # fmt: skip
@click.option(
    "--memory", type=click.IntRange(1), default=64, show_default=True,
    envvar=_env("MEMORY"), show_envvar=True, help="MiB that deliveries under way may take.",
)  # fmt: skip
@click.option(
    "--connections", type=click.IntRange(1), default=2_000, show_default=True,
    envvar=_env("CONNECTIONS"), show_envvar=True, help="Open at once.",
)  # fmt: skip
@click.option("--web-host", help="Where /livez, /readyz and /metrics are; loopback, else.")
@click.option(
    "--web-port", type=click.IntRange(0, 65535), default=6067, show_default=True,
    envvar="SLASTREAM_WEB_PORT", show_envvar=True,
    help="Port of /livez, /readyz and /metrics; 0 for none. A worker's is another.",
)  # fmt: skip
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]))
@click.option("--check", is_flag=True, help="Read the endpoints and their secrets, and list them.")
@format_option
def command(
    endpoints: Path,
    host: str,
    port: int,
    cert: Path | None,
    key: Path | None,
    max_body: int,
    memory: int,
    connections: int,
    check: bool,
    form: str,
    **flags: Any,
) -> None:
    """Receive webhooks at /v1/TENANT/SOURCE and write them to the raw topics.

    A delivery is answered with 202 once the broker has acknowledged it. Endpoints, secrets and the
    certificate are read again when their files change. SIGTERM lets what is under way finish.
    """
    settings = Settings.from_environment(**flags)
    if check:
        _list(endpoints, settings, form)
        return
    from slastream.gateway.door import Limits
    from slastream.gateway.service import Options, serve

    log_to_stderr(settings.log_level)
    options = Options(
        endpoints=endpoints, host=host, port=port, cert_file=cert, key_file=key,
        limits=Limits(body=max_body, memory=memory << 20, connections=connections),
    )  # fmt: skip
    code = run_to_end(serve(settings, options))
    sys.exit(code)


def _list(path: Path, settings: Settings, form: str) -> None:
    from slastream.gateway.endpoints import load

    rows = [
        {
            "path": each.path,
            "topic": settings.topic(f"raw.{each.source}"),
            "auth": each.auth,
            "secrets": len(each.secrets),
            "a second": each.bucket.rate,
            "at once": each.bucket.burst,
        }
        for each in load(path)
    ]
    show(rows, form)
