"""The command line as a whole: its verbs, its exit codes, its one-line errors."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from slastream.cli import VERBS, main, root
from slastream.core.errors import Misconfigured


def test_help_names_every_verb_without_importing_one() -> None:
    """`slastream --help` is instant: the heavy libraries are imported by the verb that needs them."""
    script = (
        "import sys; from slastream.cli import root\n"
        "root.main(['--help'], standalone_mode=False)\n"
        "print(sorted({'faust', 'aiokafka', 'rich'} & sys.modules.keys()), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30
    )

    assert done.stderr.strip() == "[]"
    assert all(verb in done.stdout for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_can_be_called_for_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """No verb is a promise only: its module is there and explains itself."""
    root.main([verb, "--help"], standalone_mode=False)

    assert "Usage:" in capsys.readouterr().out


def test_an_unknown_verb_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """A typing mistake ends with code 2 and says which word was not understood."""
    with pytest.raises(SystemExit) as ended:
        main(["wurker"])

    assert ended.value.code == 2
    assert "wurker" in capsys.readouterr().err


def test_what_an_operator_can_mend_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A misconfiguration shows where and what, without a traceback, and ends with code 2."""

    @click.command()
    def broken() -> None:
        raise Misconfigured("no such calendar", where="book.yaml:12", key="policies.0.calendar")

    monkeypatch.setitem(root.commands, "broken", broken)
    monkeypatch.setattr(type(root), "get_command", lambda self, ctx, name: self.commands.get(name))
    with pytest.raises(SystemExit) as ended:
        main(["broken"])

    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: book.yaml:12: policies.0.calendar: no such calendar\n"
