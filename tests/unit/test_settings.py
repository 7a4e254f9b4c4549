"""The environment as one value."""

from __future__ import annotations

from pathlib import Path

import pytest

from slastream.core.errors import Misconfigured
from slastream.settings import Settings


def test_environment_and_flags() -> None:
    """A flag wins over the environment, the environment over the default."""
    environ = {
        "SLASTREAM_BROKER": "a:1,b:2",
        "SLASTREAM_DATA_DIR": "/tmp/x",
        "SLASTREAM_INGEST": "no",
        "SLASTREAM_WEB_PORT": "0",
        "SLASTREAM_SESSION_TIMEOUT": "9.5",
        "SLASTREAM_TENANTS": "jira=acme, glpi = beta",
    }
    settings = Settings.from_environment(environ, broker="c:3", prefix=None)

    assert settings.broker == "c:3"
    assert settings.prefix == "sla."
    assert settings.data_dir == Path("/tmp/x")
    assert settings.ingest is False
    assert settings.web_port == 0
    assert settings.session_timeout == 9.5
    assert settings.tenants == {"jira": "acme", "glpi": "beta"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SLASTREAM_WEB_PORT", "many"),
        ("SLASTREAM_INGEST", "perhaps"),
        ("SLASTREAM_TIME", "sidereal"),
        ("SLASTREAM_CHUNK", "0"),
        ("SLASTREAM_PROCESSES", "0"),
        ("SLASTREAM_SESSION_TIMEOUT", "1"),
    ],
)
def test_a_bad_value_is_named(name: str, value: str) -> None:
    """A value that no worker can run with is refused under the name that it was given."""
    with pytest.raises(Misconfigured, match=name):
        Settings.from_environment({name: value})


def test_topic_names() -> None:
    """Topics of ours carry a version, those of the sources do not."""
    settings = Settings(prefix="x.")

    assert settings.topic("tickets") == "x.tickets.v1"
    assert settings.topic("raw.jira") == "x.raw.jira"


def test_settings_as_an_environment() -> None:
    """What a process is told by its environment is what its worker was told."""
    settings = Settings(
        broker="a:1,b:2", data_dir=Path("/tmp/x"), ingest=False, session_timeout=9.5,
        tenants={"jira": "acme", "glpi": "beta"}, processes=3,
    )  # fmt: skip

    assert Settings.from_environment(settings.environ()) == settings


def test_each_process_has_a_name_and_a_folder_of_its_own() -> None:
    """A process of a worker is a member of the group like any other."""
    settings = Settings(instance_id="w", data_dir=Path("/d"), processes=2)

    assert settings.of_process(2) == Settings(instance_id="w.2", data_dir=Path("/d/2"), processes=1)
