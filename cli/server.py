"""`server save`, `server list`, `server delete`: servers picked by name with --backend."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from cli.fields import add, given_fields
from cli.output import DONE, print_result
from cli.problems import naming_flags
from cli.run_fields import address_of
from db import servers
from db.database import opened
from services.ask.config import RunConfig
from services.ask.saved_server import FIELDS, saved_server
from services.report import terminal


def add_save_arguments(command: ArgumentParser) -> None:
    _add_name_arguments(command)
    add(command, RunConfig, FIELDS)


def save(options: Namespace) -> int:
    """Save a server under a name, or replace the one with that name. No key is saved."""
    with naming_flags(options):
        fields = given_fields(options, RunConfig)
        server = saved_server(options.server, fields | address_of(fields))
        servers.save(opened(), server)
    print_result(options, lambda: server, lambda: f"Saved. Use it with --backend {server.name}.")
    return DONE


def list_servers(options: Namespace) -> int:
    """Print the saved servers."""
    rows = list(servers.list_all(opened()).values())
    print_result(options, lambda: rows, lambda: terminal.servers_text(rows))
    return DONE


def add_delete_arguments(command: ArgumentParser) -> None:
    _add_name_arguments(command)


def delete(options: Namespace) -> int:
    """Delete a saved server. Runs that used it do not change."""
    servers.delete(opened(), options.server)
    print_result(options, lambda: {"deleted": True}, lambda: f"{options.server} was deleted.")
    return DONE


def _add_name_arguments(command: ArgumentParser) -> None:
    command.add_argument("server", metavar="NAME")
