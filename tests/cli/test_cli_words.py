"""Every flag of every command with values that nobody should give: a sentence, no traceback."""

from __future__ import annotations

import re
from argparse import Action, ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import Engine

import cli
from api.errors import HANDLERS
from cli.parser import Command, parser
from jobs.supervisor_lock import supervisor_file
from pages.widgets import fields
from services.base.errors import Conflict, Forbidden, Invalid, NotFound, PacelineError, Unavailable
from services.base.hosts import InvalidHosts
from tests.cli.conftest import RunCli
from tests.stored import store

NASTY = (
    "",
    " ",
    "--",
    "-",
    "-1",
    "0",
    "00",
    "1e999",
    "-1e-320",
    "nan",
    "inf",
    "9" * 5000,
    "\udcff",
    "\u0663",
    "\u00b2",
    "1_000",
    "0x10",
    "true",
    "null",
    "{",
    "[" * 3000,
    "%s",
    "%(prog)s",
    "{0}",
    "a=b",
    "=",
    ",",
    ";",
    ",,,",
    "1,",
    "--json",
    "\n",
    "\r\n",
    "\x1b[31m",
    "/",
    "/dev/null",
    "nobody",
    "\u00e9" * 300,
    "\U0001f600",
    "x" * 250_000,
    "http://",
    "http://[",
    "http://a:b@c",
    "http://127.0.0.1:99999",
    "://",
    "@file",
    "~",
    "'",
    '"',
    "\\",
    "TP=0",
    "TP=99999999999",
    "<1",
    "ttft:p95<",
    "ttft:p999999<1",
    "x:y<z",
    "mode=",
    "mode=batch,mode=",
    "on,off,on",
    "-h",
)
EACH = 4  # of these for every flag
REQUIRED = {"slo": ("--slo", "error_rate<1")}
SCENARIOS = {
    "run.yaml": "version: 1\nmode: batch\n",
    "compare.yaml": "version: 1\ncompare: [{}]\n",
    "study.yaml": "version: 1\npreset: concurrency\n",
}
OTHER_WAYS = {
    "run": (["run.yaml"],),
    "compare": (["--with", "mode=batch"], ["compare.yaml"]),  # without runs it measures
    "study": (["study.yaml"],),
}


def commands(parser: ArgumentParser, *front: str) -> Iterator[tuple[tuple[str, ...], list[Action]]]:
    groups = [action for action in parser._actions if isinstance(action, _SubParsersAction)]
    if not groups:
        yield front, parser._actions
    for group in groups:
        for name, inner in group.choices.items():
            yield from commands(inner, *front, name)


ALL = dict(commands(parser("", cli.COMMANDS, cli.GROUPS)))


def test_every_command_is_covered_by_these_tests() -> None:
    assert {" ".join(words) for words in ALL} == set(cli.COMMANDS)


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_the_help_of_a_flag_names_flags_and_no_fields(words: tuple[str, ...]) -> None:
    """Only what is sent, in quotes, and what is typed, before `=`, is a field."""
    for action in ALL[words]:
        text = action.help or ""
        names = re.sub(r'"[a-z_]+"|[a-z_]+[=<]', "", text)
        assert not re.search(r"\b[a-z]+_[a-z]", names), action.option_strings


def test_a_form_names_other_fields_by_their_titles_and_a_command_by_their_flags() -> None:
    (least,) = (a for a in ALL[("run",)] if "--min-tokens" in a.option_strings)
    assert "never more than its --max-tokens" in (least.help or "")
    assert "never more than its “Max tokens”" in fields.help_of("min_tokens")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["capacity", "--slo", "error_rate<1", "--window", "0"], "--window must be at least"),
        (
            ["run", "--workload", "mixed", "--input-tokens", "9", "--long-input-tokens", "5"],
            "--long-input-tokens must be at least --input-tokens, which is 9.",
        ),
        (["run", "--trace-from", "9", "--mode", "replay"], "--trace is missing."),
    ],
    ids=" ".join,
)
def test_a_message_names_flags_and_no_fields(
    database: Engine, run_cli: RunCli, words: list[str], sentence: str
) -> None:
    code, _, error = run_cli(*words)
    assert code == 2 and sentence in error, error


@pytest.fixture
def nothing_starts(database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs are stored, and no queue can be processed: valid requests are refused in the last
    step."""
    for _ in range(2):
        store(database)
    supervisor_file(database, "lock").mkdir()
    monkeypatch.chdir(tmp_path)
    for name, text in SCENARIOS.items():
        (tmp_path / name).write_text(text)


def is_number(action: Action) -> bool:
    """Whether an argument is the number of a run or a study, and not the file of a scenario."""
    return not action.option_strings and action.nargs != "?"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_a_nasty_value_never_causes_a_traceback(
    nothing_starts: None, run_cli: RunCli, words: tuple[str, ...]
) -> None:
    chance, actions = Random(" ".join(words)), ALL[words]
    required = [str(n + 1) for n, action in enumerate(actions) if is_number(action)]
    needed = [
        word for action in actions if action.required for word in REQUIRED.get(action.dest, ())
    ]
    command_lines: list[list[str]] = []
    for start in ([*required, *needed], *OTHER_WAYS.get(" ".join(words), ())):
        command_lines += [[*start, f"{flag}=--"] for flag in options(actions)]
        for flag in options(actions):
            for value in chance.sample(NASTY, EACH):
                command_lines.append([*start, f"{flag}={value}"])
                command_lines.append([*start, flag, value])
    for value in chance.sample(NASTY, 10):
        command_lines.append([value, *needed])
    for arguments in command_lines:
        code, _, error = run_cli(*words, *arguments)
        shown = [argument[:40] for argument in arguments]
        assert code in (0, 1, 2), shown
        assert "Traceback" not in error and "Internal error" not in error, (shown, error)
        if code == 2:
            assert error.rstrip().endswith("."), (shown, error)


def options(actions: list[Action]) -> list[str]:
    return [
        name
        for action in actions
        for name in action.option_strings
        if name.startswith("--") and name != "--help"
    ]


def test_an_unexpected_error_shows_a_traceback_only_on_request(
    database: Engine, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: object) -> int:
        raise RuntimeError("with the key sk-topsecret")

    monkeypatch.setitem(cli.COMMANDS, "list", Command(fails))
    code, _, error = run_cli("list")
    assert (code, error.count("\n")) == (1, 1)
    assert error.startswith("Internal error in Paceline (RuntimeError). ")
    assert "topsecret" not in error
    monkeypatch.setenv(cli.DEBUG, "1")
    with pytest.raises(RuntimeError):
        cli.main(["list"])


def kinds(root: type[PacelineError]) -> list[type[PacelineError]]:
    """All error classes whose messages are meant for people."""
    return [root, *(kind for below in root.__subclasses__() for kind in kinds(below))]


TREE = sorted({*kinds(PacelineError), InvalidHosts}, key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_the_terminal_shows_every_error_meant_for_people(
    database: Engine,
    run_cli: RunCli,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[PacelineError],
) -> None:
    """No command raises some of these today, but one may in future."""

    def refuses(_: object) -> int:
        error = kind.__new__(kind)
        error.args = ("That cannot be done.",)
        raise error

    monkeypatch.setitem(cli.COMMANDS, "list", Command(refuses))
    code, _, error = run_cli("list")
    assert code == 2
    assert error.startswith("That cannot be done.")


def test_the_api_has_a_status_for_every_kind_of_error() -> None:
    roots = {*PacelineError.__subclasses__()}
    assert roots == {Invalid, Forbidden, NotFound, Conflict, Unavailable} <= HANDLERS.keys()


def test_an_error_of_the_operating_system_is_reported_in_its_words(
    database: Engine, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: object) -> int:
        raise OSError(28, "No space left on device", "/home/me/private")

    monkeypatch.setitem(cli.COMMANDS, "list", Command(fails))
    code, _, error = run_cli("list")
    assert (code, error.partition(". ")[0]) == (
        1,
        "The operating system reports: No space left on device",
    )
