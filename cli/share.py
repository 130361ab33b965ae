"""`share`: a read-only page of runs for anyone who has the link."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from cli.kinds import days, whole
from cli.output import DONE, print_result
from db import shares
from db.database import opened
from services.report import terminal


def add_arguments(command: ArgumentParser) -> None:
    command.add_argument("runs", type=whole, nargs="*", metavar="RUN")
    command.add_argument(
        "--days",
        type=days,
        default=30,
        help="Days until the link expires; 0: never (default: 30)",
    )
    command.add_argument("--texts", action="store_true", help="Include prompts and answers")
    other = command.add_mutually_exclusive_group()
    other.add_argument("--list", action="store_true", help="List the shared pages of these runs")
    other.add_argument("--revoke", metavar="PAGE", help="Revoke the page with this path or token")


def share(options: Namespace) -> int:
    """Share a read-only page of runs with anyone who has the link; list and revoke links."""
    if options.revoke:
        token = options.revoke.rpartition("/")[2]  # also from its path or whole address
        shares.revoke(opened(), token)
        print_result(
            options, lambda: {"revoked": True}, lambda: "Revoked: the link no longer works."
        )
    elif options.list:
        pages = shares.list_all(opened(), options.runs)
        print_result(options, lambda: pages, lambda: terminal.shares_text(pages))
    else:
        page = shares.publish(opened(), options.runs, options.days or None, options.texts)
        print_result(options, lambda: page, lambda: terminal.share_text(page))
    return DONE
