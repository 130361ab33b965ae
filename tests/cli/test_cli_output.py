"""Where a command prints: a full disk, a closed pipe, a plain terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

import pytest
from sqlalchemy import Engine

from db import runs
from tests.cli.conftest import Ask, ended, started
from tests.conftest import ROOT
from tests.stored import store


@pytest.mark.parametrize("typed", [["list"], ["show", "1", "--json"], ["export", "1"]])
def test_output_that_cannot_be_written_is_said(database: Engine, typed: Sequence[str]) -> None:
    store(database)
    with open("/dev/full", "wb") as full:
        said = ended(started(*typed, stdout=full))
    assert (said.code, said.err) == (
        2,
        "Cannot write to standard output: No space left on device.\n",
    )


def test_nothing_is_begun_where_there_is_nowhere_to_print_to(database: Engine) -> None:
    closed = ["sh", "-c", f'"{sys.executable}" cli.py run >&-']
    said = ended(subprocess.Popen(closed, cwd=ROOT, stderr=subprocess.PIPE))
    assert said.code == 2
    assert said.err.startswith("Standard output is closed")
    assert runs.count(database) == 0


def test_a_reader_who_has_seen_enough_is_no_fault(database: Engine) -> None:
    store(database)
    process = started("export", "1", "--format", "page.html")
    assert process.stdout and process.stderr
    process.stdout.read(1)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(30) == 0
    process.stderr.close()


def test_a_terminal_without_unicode_shows_what_it_can(database: Engine) -> None:
    store(database, name="Grüße")
    said = ended(started("list", env={**os.environ, "PYTHONIOENCODING": "ascii"}))
    assert (said.code, said.err) == (0, "")
    assert "Gr??e" in said.out


def test_a_name_cannot_steer_the_terminal(database: Engine, ask: Ask) -> None:
    store(database, name="red \x1b[31m alert", error="bell \x07")
    assert "\x1b" not in ask("list").out + ask("show", "1").out
    assert "\x07" not in ask("show", "1").out
