"""`baseline set|remove|list`: the run that later runs of a model or a tag are compared with."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from cli.kinds import whole
from cli.output import DONE, print_result
from cli.problems import UsageError
from db import baselines, runs
from db.database import opened
from services.report import terminal


def add_set_arguments(command: ArgumentParser) -> None:
    command.add_argument("run", type=whole, metavar="RUN")
    of = command.add_mutually_exclusive_group()
    of.add_argument("--model", action="store_true", help="Baseline of its model (default)")
    of.add_argument("--tag", help="Baseline of a tag, which is added to the run")


def set_baseline(options: Namespace) -> int:
    """Set a run as the baseline of its model or of a tag: later runs are compared with it."""
    of: tuple[Any, str] = ("tag", options.tag)
    if options.tag is None:
        of = ("model", runs.load(opened(), options.run).config.model)
    baseline = baselines.save(opened(), *of, options.run)
    print_result(
        options,
        lambda: baseline,
        lambda: f"Run {options.run} is now the baseline of {' '.join(of)}.",
    )
    return DONE


def add_remove_arguments(command: ArgumentParser) -> None:
    command.add_argument("run", type=whole, metavar="RUN")
    of = command.add_mutually_exclusive_group()
    of.add_argument("--model", action="store_true", help="Only as baseline of its model")
    of.add_argument("--tag", help="Only as baseline of this tag")


def remove(options: Namespace) -> int:
    """Remove a run as a baseline: completely, or only of its model or one tag."""
    runs.load(opened(), options.run)
    kind = "tag" if options.tag is not None else "model" if options.model else None
    removed = [
        baseline
        for baseline in baselines.list_all(opened())
        if baseline.run_id == options.run
        and kind in (None, baseline.kind)
        and options.tag in (None, baseline.value)
    ]
    if not removed:
        raise UsageError(f"Run {options.run} is not the baseline of that model or tag.")
    for baseline in removed:
        baselines.delete(opened(), baseline.kind, baseline.value)
    lines = [
        f"Run {options.run} is no longer the baseline of {baseline.kind} {baseline.value}."
        for baseline in removed
    ]
    print_result(options, lambda: removed, lambda: "\n".join(lines))
    return DONE


def list_baselines(options: Namespace) -> int:
    """Print the baselines, newest first."""
    rows = baselines.list_all(opened())
    print_result(options, lambda: rows, lambda: terminal.baselines_text(rows))
    return DONE
