"""Commands run in this process or in one of their own, and what comes of it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from sqlalchemy import Engine

import cli
from db import runs
from tests.conftest import ROOT, ReferenceServer


class Said(NamedTuple):
    code: int
    out: str
    err: str


Ask = Callable[..., Said]


@pytest.fixture
def ask(
    database: Engine, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> Ask:
    """Run a command in this process; what it says and its exit code."""
    for name in ("PACELINE_URL", "OPENAI_API_KEY", "GROQ_API_KEY", "LITELLM_MODEL"):
        monkeypatch.setenv(name, "")

    def run(*arguments: str) -> Said:
        try:
            code = cli.main(arguments)
        except SystemExit as end:  # argparse
            code = int(end.code or 0)
        out, err = capfdbinary.readouterr()
        return Said(code, out.decode(errors="surrogateescape"), err.decode())

    return run


def started(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    """Start a command in a process of its own."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen([sys.executable, "cli.py", *arguments], cwd=ROOT, **pipes)


def ended(process: subprocess.Popen[bytes], seconds: float = 240) -> Said:
    out, err = process.communicate(timeout=seconds)
    return Said(process.returncode, (out or b"").decode(), (err or b"").decode())


def in_terminal(*arguments: str, seconds: float = 240) -> tuple[Said, str]:
    """Run a command whose progress is written to a terminal; return that beside the rest."""
    ours, theirs = pty.openpty()
    subprocess.run(["stty", "cols", "100", "rows", "30"], stdin=theirs, check=True)
    process = started(*arguments, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:  # how the end of a terminal reads on Linux
        pass
    os.close(ours)
    return ended(process, seconds), shown.decode()


def run_flags(reference: ReferenceServer, model: str, *more: str) -> tuple[str, ...]:
    return ("run", "--backend", reference.base_url, "--model", model, "--warmup", "0", *more)


def refused(said: Said, database: Engine) -> str:
    """The one thing that is said of bad usage, which changes nothing."""
    assert said.code == 2, said
    assert said.out == ""
    assert "Traceback" not in said.err
    assert runs.count(database) == 0
    assert said.err.endswith(".\n") and said.err.count("\n") == 1, said.err
    return said.err
