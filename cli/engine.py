"""`engine start|list|stop|log`: servers that Paceline starts. Every field of an engine is a
flag."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from cli.fields import add, given_fields
from cli.kinds import whole
from cli.output import DONE, FAILED, note, print_result
from cli.problems import naming_flags, once_started
from cli.stopping import stopping
from db import engines
from db.database import opened
from jobs import serving
from jobs.follow import until_ended, until_ready
from services.report import terminal
from services.report.engine_facts import as_facts
from services.servers.engines import EngineConfig, parse_engine


def add_fields_arguments(command: ArgumentParser) -> None:
    add(command, EngineConfig, EngineConfig.model_fields)


def start(options: Namespace) -> int:
    """Start an engine, wait until it is ready, and print its address; it keeps running."""
    with naming_flags(options), stopping() as stop:
        engine_id = serving.start(opened(), parse_engine(given_fields(options, EngineConfig)))
        with once_started(f"engine {engine_id}"):
            engine = until_ready(
                opened(), engine_id, stop, _print_nothing if options.json else note
            )
            print_result(options, lambda: as_facts(engine), lambda: terminal.engine_text(engine))
    return DONE if engine.status == "ready" else FAILED


def _print_nothing(line: str) -> None:
    """Print nothing: the output is for a program."""


def list_engines(options: Namespace) -> int:
    """Print the engines that were started, newest first."""
    known = serving.list_all(opened())
    print_result(options, lambda: list(map(as_facts, known)), lambda: terminal.engines_text(known))
    return DONE


def add_one_arguments(command: ArgumentParser) -> None:
    command.add_argument("engine", type=whole, metavar="ENGINE")


def stop(options: Namespace) -> int:
    """Stop an engine and wait until its processes are gone."""
    serving.stop(opened(), options.engine)
    with once_started(f"engine {options.engine}"):
        engine = until_ended(opened(), options.engine)
        print_result(options, lambda: as_facts(engine), lambda: terminal.engine_text(engine))
    return DONE


def log(options: Namespace) -> int:
    """Print the end of an engine's log."""
    engine = engines.load(opened(), options.engine)
    text = serving.log_tail(opened(), engine.id)
    print_result(options, lambda: {**as_facts(engine), "log": text}, text.rstrip)
    return DONE
