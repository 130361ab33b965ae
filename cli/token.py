"""`token create|list|revoke`: who may use the API if sign-in is on."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from cli.kinds import days, whole
from cli.output import DONE, print_result
from cli.person import operator
from db import tokens
from db.database import opened
from db.tokens import DEFAULT_DAYS
from services.base.roles import Role
from services.report import terminal


def add_create_arguments(command: ArgumentParser) -> None:
    command.add_argument("name", metavar="NAME", help="Who or what uses it")
    command.add_argument(
        "--role",
        choices=[role.name for role in Role],
        default=Role.viewer.name,
        help="What it may do (default: viewer)",
    )
    command.add_argument(
        "--days",
        type=days,
        default=DEFAULT_DAYS,
        help=f"Days until it expires (default: {DEFAULT_DAYS})",
    )


def create(options: Namespace) -> int:
    """Create an API token and print it. It will not be shown again: only its hash is stored."""
    maker = person.name if (person := operator()) else None
    made, secret = tokens.create(opened(), options.name, Role[options.role], options.days, maker)
    print_result(options, lambda: asdict(made) | {"token": secret}, lambda: secret)
    return DONE


def list_tokens(options: Namespace) -> int:
    """Print the tokens, newest first, without their secrets."""
    rows = tokens.list_all(opened())
    print_result(options, lambda: rows, lambda: terminal.tokens_text(rows))
    return DONE


def add_revoke_arguments(command: ArgumentParser) -> None:
    command.add_argument("token", type=whole, metavar="TOKEN", help="Number of the token")


def revoke(options: Namespace) -> int:
    """Revoke a token: it stops working immediately."""
    tokens.revoke(opened(), options.token)
    print_result(options, lambda: {"revoked": True}, lambda: f"Revoked token {options.token}.")
    return DONE
