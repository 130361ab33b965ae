"""The same actions in a terminal: `python cli.py run|list|show|export|compare|backends`.

Exit codes: 0 done, 1 the run failed or was cancelled, 2 bad usage.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import orjson
from dotenv import load_dotenv
from tqdm import tqdm

import jobs
from db import counts, results, runs
from db.database import DatabaseProblem, opened
from db.runs import InvalidEdit, RunNotFound
from services import export as exports
from services import terminal
from services.backends import BACKENDS, BackendProblem
from services.compare import compare
from services.config import InvalidConfig, RunConfig, parse
from services.measurement import FINISHED
from services.visit import visit
from services.workloads.promptfile import InvalidPrompts, read_prompts

ROOT = Path(__file__).resolve().parent
DONE, FAILED, USAGE = 0, 1, 2
POLL_S = 0.25
PLAIN_FLAGS = {"prompts", "unique_prompts", "ignore_eos"}  # of RunConfig, given another shape here


class Usage(ValueError):
    """Something asked for that cannot be done, in a sentence."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    load_dotenv(ROOT / ".env")
    options = _parser().parse_args(arguments)
    try:
        opened()
        code: int = options.command(options)
    except InvalidConfig as error:
        return _refuse("\n".join(error.problems.values()))
    except (
        Usage,
        BackendProblem,
        InvalidEdit,
        InvalidPrompts,
        RunNotFound,
        DatabaseProblem,
    ) as error:
        return _refuse(str(error.args[0]))
    except BrokenPipeError:  # `| head` has seen enough
        sys.stderr.close()
        return DONE
    return code


def run(options: argparse.Namespace) -> int:
    """Queue a run, follow it to its end, print it."""
    engine = opened()
    config = parse(_config_values(options))
    run_id = jobs.submit(engine, config, options.name, options.tag, options.note)
    _follow(run_id, config, options.json)
    candidate = results.candidate(engine, run_id)
    if options.json:
        _print_json(exports.run_document(candidate))
    else:
        print(terminal.run_text(candidate))
    return DONE if candidate.run.status == "done" else FAILED


def list_runs(options: argparse.Namespace) -> int:
    """Print the stored runs, newest first."""
    given = {name: getattr(options, name) for name in ("backend", "model", "mode", "tag", "status")}
    filters: Any = {name: value for name, value in given.items() if value}
    found = runs.search(opened(), options.text, limit=options.limit, **filters)
    if options.json:
        _print_json(found)
    else:
        print(terminal.list_text(found))
    return DONE


def show(options: argparse.Namespace) -> int:
    """Print one run."""
    candidate = results.candidate(opened(), options.run)
    if options.json:
        _print_json(exports.run_document(candidate))
    else:
        print(terminal.run_text(candidate))
    return DONE


def export(options: argparse.Namespace) -> int:
    """Write runs as a file, to standard output or where `--output` says."""
    entry = exports.export(options.format)
    if not entry.takes(len(options.runs)):
        most = "one run" if entry.most == 1 else f"{entry.least} to {entry.most} runs"
        raise Usage(f"{entry.name} takes {most}, not {len(options.runs)}.")
    chosen = results.candidates(opened(), options.runs)
    data = entry.write(chosen)
    if options.output == "-":
        sys.stdout.buffer.write(data)
        return DONE
    try:
        Path(options.output).write_bytes(data)
    except OSError as error:
        raise Usage(f"Cannot write {options.output}: {error.strerror}.") from None
    print(f"{options.output}: {len(data):,} bytes")
    return DONE


def compare_runs(options: argparse.Namespace) -> int:
    """Print runs side by side; the first is the reference."""
    if not 2 <= len(options.runs) <= 8:
        raise Usage(f"Compare takes two to eight runs, not {len(options.runs)}.")
    comparison = compare(results.candidates(opened(), options.runs))
    if options.json:
        _print_json(terminal.comparison_document(comparison))
    else:
        print(terminal.comparison_text(comparison))
    return DONE


def backends(options: argparse.Namespace) -> int:
    """Print the backends, with `--test` what each answers."""
    names = [options.name] if options.name else list(BACKENDS)
    if unknown := [name for name in names if name not in BACKENDS]:
        raise Usage(f"There is no backend {unknown[0]!r}. There are: {', '.join(BACKENDS)}.")
    probes = None
    if options.test:
        probes = {name: asyncio.run(visit(name, None, os.environ)) for name in names}
    rows = terminal.backend_rows(names, os.environ, probes)
    if options.json:
        _print_json(rows)
    else:
        print(terminal.backends_text(rows))
    return DONE


def _config_values(options: argparse.Namespace) -> dict[str, Any]:
    values = {
        name: getattr(options, name)
        for name in RunConfig.model_fields
        if getattr(options, name, None) is not None
    }
    if "://" in options.backend:
        values |= {"backend": "url", "base_url": options.backend}
    if options.prompt is not None:
        values["workload"] = "text"
    if options.prompts is not None:
        values |= {"workload": "file", "prompts": _prompts_of(options.prompts)}
    if options.shared_prompts:
        values["unique_prompts"] = False
    return values


def _prompts_of(name: str) -> tuple[str, ...]:
    try:
        return read_prompts(Path(name).read_bytes(), Path(name).name)
    except OSError as error:
        raise Usage(f"Cannot read {name}: {error.strerror}.") from None


def _follow(run_id: int, config: RunConfig, quiet: bool) -> None:
    """Wait for the end of a run, with a progress bar on standard error. Ctrl-C cancels the run."""
    engine = opened()
    total = config.requests * config.repeats
    hidden = quiet or not sys.stderr.isatty()
    with tqdm(total=total, unit="request", disable=hidden, leave=False) as bar:
        while (current := runs.load(engine, run_id)).status not in FINISHED:
            try:
                jobs.ensure(engine)
                bar.set_description(current.phase or current.status)
                bar.update(sum(counts.counted(engine, run_id).values()) - bar.n)
                time.sleep(POLL_S)
            except KeyboardInterrupt:
                jobs.cancel(engine, run_id)


def _print_json(data: Any) -> None:
    sys.stdout.buffer.write(orjson.dumps(data, option=orjson.OPT_INDENT_2) + b"\n")


def _refuse(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return USAGE


# --- flags -----------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cli.py", description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, call, flags in COMMANDS:
        command = commands.add_parser(name, help=(call.__doc__ or "").rstrip("."))
        command.set_defaults(command=call)
        flags(command)
    return parser


def _run_flags(command: argparse.ArgumentParser) -> None:
    """Every field of RunConfig as a flag; what is not given keeps the config's own default."""
    for name, field in RunConfig.model_fields.items():
        if name in PLAIN_FLAGS:
            continue
        flag = "--" + name.removesuffix("_s").replace("_", "-")
        command.add_argument(
            flag, dest=name, metavar=_metavar(name), help=_help(field.description, field.default)
        )
    command.set_defaults(backend="embedded")
    command.add_argument("--prompts", metavar="FILE", help="JSONL or CSV file with prompts")
    command.add_argument("--ignore-eos", action="store_true", default=None, help="Full length")
    command.add_argument(
        "--shared-prompts", action="store_true", help="No unique mark before each prompt"
    )
    command.add_argument("--name", default="", help="What the run is called")
    command.add_argument("--tag", action="append", default=[], help="A tag; may be repeated")
    command.add_argument("--note", default="", help="A note")
    command.add_argument("--json", action="store_true", help="Print the run as JSON")


def _metavar(name: str) -> str:
    field = RunConfig.model_fields[name]
    options = [str(word) for word in get_args(field.annotation) if isinstance(word, str)]
    if name == "backend":
        return "NAME-OR-URL"
    return "|".join(options) if options else name.removesuffix("_s").upper()


def _help(description: str | None, default: Any) -> str:
    shown = f" (default: {default})" if default not in (None, "", ()) else ""
    return f"{description}{shown}".replace("%", "%%")


def _list_flags(command: argparse.ArgumentParser) -> None:
    command.add_argument("text", nargs="?", default="", help="Part of a name, note, model or tag")
    for name in ("backend", "model", "mode", "tag", "status"):
        command.add_argument(f"--{name}")
    command.add_argument("--limit", type=_count, default=20)
    command.add_argument("--json", action="store_true")


def _show_flags(command: argparse.ArgumentParser) -> None:
    command.add_argument("run", type=_count, metavar="RUN")
    command.add_argument("--json", action="store_true")


def _export_flags(command: argparse.ArgumentParser) -> None:
    command.add_argument("runs", type=_count, nargs="+", metavar="RUN")
    command.add_argument(
        "--format", choices=[entry.name for entry in exports.EXPORTS], default="requests.csv"
    )
    command.add_argument("--output", default="-", help="File; -: standard output")


def _compare_flags(command: argparse.ArgumentParser) -> None:
    command.add_argument("runs", type=_count, nargs="+", metavar="RUN")
    command.add_argument("--json", action="store_true")


def _backend_flags(command: argparse.ArgumentParser) -> None:
    command.add_argument("name", nargs="?", help="One backend; without: all")
    command.add_argument("--test", action="store_true", help="Ask each whether it answers")
    command.add_argument("--json", action="store_true")


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 2**63:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


Command = tuple[str, Callable[[argparse.Namespace], int], Callable[[argparse.ArgumentParser], None]]
COMMANDS: tuple[Command, ...] = (
    ("run", run, _run_flags),
    ("list", list_runs, _list_flags),
    ("show", show, _show_flags),
    ("export", export, _export_flags),
    ("compare", compare_runs, _compare_flags),
    ("backends", backends, _backend_flags),
)


if __name__ == "__main__":
    sys.exit(main())
