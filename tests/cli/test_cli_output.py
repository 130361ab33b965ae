"""Where a command prints: a full disk, a closed pipe, a plain terminal."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Sequence

import pytest
from sqlalchemy import Engine

from db import runs
from tests.cli.conftest import RunCli, finish, start_cli
from tests.conftest import ROOT
from tests.stored import store

FULL = "Cannot write to standard output: No space left on device.\n"


@pytest.mark.long
def test_a_full_disk_is_reported(database: Engine) -> None:
    store(database)
    with open("/dev/full", "wb") as full:
        result = finish(start_cli("list", stdout=full))
    assert (result.code, result.err) == (2, FULL)


@pytest.mark.parametrize("arguments", [["list"], ["show", "1", "--json"], ["export", "1"]])
def test_output_that_cannot_be_written_is_reported(
    database: Engine, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch, arguments: Sequence[str]
) -> None:
    store(database)
    with open("/dev/full", "w") as full, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", full)
        result = run_cli(*arguments)
    assert (result.code, result.err) == (2, FULL)


@pytest.mark.long
def test_no_run_starts_if_standard_output_is_closed(database: Engine) -> None:
    closed = ["sh", "-c", f'"{sys.executable}" cli.py run >&-']
    result = finish(subprocess.Popen(closed, cwd=ROOT, stderr=subprocess.PIPE))
    assert result.code == 2
    assert result.err.startswith("Standard output is closed")
    assert runs.count(database) == 0


@pytest.mark.long
def test_a_closed_pipe_is_not_an_error(database: Engine) -> None:
    store(database)
    process = start_cli("export", "1", "--format", "page.html")
    assert process.stdout and process.stderr
    process.stdout.read(1)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(30) == 0
    process.stderr.close()


def test_a_terminal_without_unicode_gets_question_marks(
    database: Engine, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(database, name="Grüße")
    output = io.BytesIO()
    with io.TextIOWrapper(output, encoding="ascii") as terminal, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", terminal)
        result = run_cli("list")
        assert b"Gr??e" in output.getvalue()
    assert (result.code, result.err) == (0, "")


def test_control_characters_in_a_name_are_not_printed(database: Engine, run_cli: RunCli) -> None:
    store(database, name="red \x1b[31m alert", error="bell \x07")
    assert "\x1b" not in run_cli("list").out + run_cli("show", "1").out
    assert "\x07" not in run_cli("show", "1").out
