"""Run commands in this process or in one of their own."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple

import pytest
from sqlalchemy import Engine

import cli
from cli.parser import Command, Parser, parser, program
from db import runs
from tests.conftest import ROOT, ReferenceServer, until


class Result(NamedTuple):
    code: int
    out: str
    err: str


RunCli = Callable[..., Result]


@lru_cache(maxsize=2)
def built(program: str, summary: str, commands: tuple[tuple[str, Command], ...]) -> Parser:
    """The parser of these commands. To build it takes 23 of the 24 ms of a command that is refused,
    and tests give thousands of those in one process."""
    return parser(summary, dict(commands), cli.GROUPS)


@pytest.fixture
def run_cli(
    database: Engine, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> RunCli:
    """Run a command in this process; return its exit code and what it printed."""
    for name in ("PACELINE_URL", "OPENAI_API_KEY", "GROQ_API_KEY", "LITELLM_MODEL"):
        monkeypatch.setenv(name, "")

    def kept(summary: str, commands: Mapping[str, Command], _: Mapping[str, str]) -> Parser:
        return built(program(), summary, tuple(commands.items()))

    monkeypatch.setattr(cli, "parser", kept)

    def run(*arguments: str) -> Result:
        try:
            code = cli.main(arguments)
        except SystemExit as end:  # argparse
            code = int(end.code or 0)
        out, err = capfdbinary.readouterr()
        return Result(code, out.decode(errors="surrogateescape"), err.decode())

    return run


@contextmanager
def meanwhile(holds: Callable[[], Any], act: Callable[[], Any]) -> Iterator[None]:
    """Act in another thread as soon as a condition holds, while a command runs in this one."""
    with ThreadPoolExecutor(1) as thread:
        acted = thread.submit(lambda: until(holds, 60) and act())
        yield
        acted.result()


def start_cli(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    """Start a command in a process of its own."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen([sys.executable, "cli.py", *arguments], cwd=ROOT, **pipes)


def finish(process: subprocess.Popen[bytes], seconds: float = 240) -> Result:
    out, err = process.communicate(timeout=seconds)
    return Result(process.returncode, (out or b"").decode(), (err or b"").decode())


def in_terminal(*arguments: str, seconds: float = 240) -> tuple[Result, str]:
    """Run a command whose standard error is a terminal; return what that showed, too."""
    ours, theirs = pty.openpty()
    subprocess.run(["stty", "cols", "100", "rows", "30"], stdin=theirs, check=True)
    process = start_cli(*arguments, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:  # how the end of a terminal reads on Linux
        pass
    os.close(ours)
    return finish(process, seconds), shown.decode()


def run_flags(reference: ReferenceServer, model: str, *more: str) -> tuple[str, ...]:
    return ("run", "--backend", reference.base_url, "--model", model, "--warmup", "0", *more)


def refused(result: Result, database: Engine) -> str:
    """Return the one sentence with which a command refuses; nothing has changed."""
    assert result.code == 2, result
    assert result.out == ""
    assert "Traceback" not in result.err
    assert runs.count(database) == 0
    assert result.err.endswith(".\n") and result.err.count("\n") == 1, result.err
    return result.err
