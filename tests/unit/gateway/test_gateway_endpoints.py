"""The file of endpoints: what it may say, and that its mistakes are told without its secrets."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from slastream.cli.gateway import command
from slastream.core.errors import Misconfigured
from slastream.gateway.endpoints import Endpoints, load

SECRET = "an-invented-secret"


def endpoints(folder: Path, text: str) -> Endpoints:
    (folder / "jira").write_text(SECRET + "\r\n", "utf-8")
    (folder / "short").write_text("short", "utf-8")
    (folder / "endpoints.yaml").write_text(text, "utf-8")
    return load(folder / "endpoints.yaml")


def one(folder: Path, item: str) -> Endpoints:
    return endpoints(folder, f"endpoints: [{{{item}}}]")


def test_how_each_source_proves_itself(tmp_path: Path) -> None:
    """Who signs is asked for a signature, who does not for the secret, ConnectWise for its key."""
    given = endpoints(
        tmp_path,
        """
        endpoints:
          - {tenant: acme, source: jira, secrets: [jira]}
          - {tenant: acme, source: halopsa, secrets: [jira], rate: 5, burst: 7}
          - {tenant: acme, source: connectwise, company: fjordline}
          - {tenant: globex, source: connectwise, secrets: [jira]}
          - {tenant: globex, source: jira, auth: token, secrets: [jira]}
        """,
    )
    auths = {each.path: each.auth for each in given}

    assert auths == {
        "/v1/acme/jira": "signature",
        "/v1/acme/halopsa": "token",
        "/v1/acme/connectwise": "key_url",
        "/v1/globex/connectwise": "signature",
        "/v1/globex/jira": "token",
    }
    jira, halo = given.at("/v1/acme/jira?x=1"), given.at("/v1/acme/halopsa")
    assert jira is not None
    assert halo is not None
    assert jira.secrets == (SECRET.encode(),)
    assert (halo.bucket.rate, halo.bucket.burst) == (5.0, 7.0)


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ("tenant: acme, source: jira", "secrets: must be a list of files"),
        ("tenant: acme, source: jira, secrets: []", "secrets: must be a list of files"),
        ("tenant: acme, source: jira, secrets: [nowhere]", "cannot be read: No such file"),
        ("tenant: acme, source: jira, secrets: [short]", "fewer than 8"),
        ("tenant: acme, source: nobody, secrets: [jira]", "source: is no source"),
        ("tenant: a/b, source: jira, secrets: [jira]", "tenant: must be letters"),
        ("tenant: '../x', source: jira, secrets: [jira]", "tenant: must be letters"),
        ("tenant: '', source: jira, secrets: [jira]", "tenant: must be letters"),
        ("tenant: 7, source: jira, secrets: [jira]", "tenant: must be letters"),
        ("tenant: acme, source: jira, auth: none, secrets: [jira]", "auth: is unknown"),
        ("tenant: acme, source: itop, auth: signature, secrets: [jira]", "itop signs nothing"),
        ("tenant: acme, source: jira, auth: key_url, company: x", "only ConnectWise"),
        ("tenant: acme, source: connectwise", "company: is missing"),
        ("tenant: acme, source: connectwise, company: x, key_hosts: [net]", "key_hosts: each"),
        ("tenant: acme, source: connectwise, company: x, key_hosts: ['*.x.net']", "key_hosts"),
        ("tenant: acme, source: connectwise, company: x, key_hosts: [10.0.0.1]", "key_hosts"),
        ("tenant: acme, source: jira, secrets: [jira], rate: 0", "rate: must be a number above 0"),
        ("tenant: acme, source: jira, secrets: [jira], rate: true", "rate: must be a number"),
        ("tenant: acme, source: jira, secrets: [jira], secret: x", "secret: is not known"),
    ],
)
def test_mistakes(tmp_path: Path, item: str, told: str) -> None:
    """A mistake is told with file, place and what is wrong."""
    with pytest.raises(Misconfigured, match=r"endpoints\.yaml: endpoints\.0") as caught:
        one(tmp_path, item)

    assert told in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "[]", "endpoints: {}", "endpoints: []", "a: [", "\x00", "!!x y"]
)
def test_files_that_are_none(tmp_path: Path, text: str) -> None:
    """A file that holds no endpoints is one clear error."""
    with pytest.raises(Misconfigured):
        endpoints(tmp_path, text)


def test_twice(tmp_path: Path) -> None:
    """Two endpoints of one path are a mistake: nobody could tell which secret counts."""
    item = "{tenant: acme, source: jira, secrets: [jira]}"
    with pytest.raises(Misconfigured, match="twice"):
        endpoints(tmp_path, f"endpoints: [{item}, {item}]")


@pytest.mark.parametrize(
    "text",
    [
        f"endpoints: [{{tenant: acme, source: jira, secrets: [{SECRET}]}}]",
        f"endpoints: [{{tenant: acme, source: jira, auth: {SECRET}, secrets: [jira]}}]",
        f"endpoints: [{{tenant: acme, source: {SECRET}, secrets: [jira]}}]",
        f"endpoints: [{SECRET}: {{",
    ],
)
def test_a_secret_in_the_wrong_place_is_not_repeated(tmp_path: Path, text: str) -> None:
    """Whoever writes a secret into the file by mistake does not find it in a log."""
    with pytest.raises(Misconfigured) as caught:
        endpoints(tmp_path, text)

    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value)


def test_secrets_do_not_show(tmp_path: Path) -> None:
    """The values that are passed around print no secret."""
    given = one(tmp_path, "tenant: acme, source: jira, secrets: [jira]")

    assert SECRET not in repr(given)
    assert SECRET not in repr(list(given))


def test_a_file_that_changed_is_noticed(tmp_path: Path) -> None:
    """Endpoints know when a file they were read from is another one."""
    given = one(tmp_path, "tenant: acme, source: jira, secrets: [jira]")
    assert not given.changed()
    (tmp_path / "jira").write_text("a-secret-of-another-length", "utf-8")

    assert given.changed()


def test_reading_again_forgives_no_debt(tmp_path: Path) -> None:
    """A bucket that was emptied stays empty when the file is read again."""
    text = "tenant: acme, source: jira, secrets: [jira], rate: 1, burst: 1"
    before = one(tmp_path, text)
    first = before.at("/v1/acme/jira")
    assert first is not None
    assert first.bucket.take(100.0) == 0.0
    again = one(tmp_path, text).keeping(before).at("/v1/acme/jira")
    assert again is not None

    assert again.bucket.take(100.0) > 0.0


def test_check(tmp_path: Path) -> None:
    """`slastream gateway --check` lists the endpoints and shows no secret."""
    one(tmp_path, "tenant: acme, source: jira, secrets: [jira]")
    done = CliRunner().invoke(command, ["--endpoints", str(tmp_path / "endpoints.yaml"), "--check"])

    assert done.exit_code == 0
    assert "/v1/acme/jira" in done.output
    assert SECRET not in done.output
