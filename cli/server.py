"""`server save`, `server list`, `server delete`: servers picked by name with --backend."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from cli.fields import add, given
from cli.output import DONE, say
from cli.problems import naming_flags
from cli.run_fields import address_of
from db import servers
from db.database import opened
from services.ask.config import RunConfig
from services.ask.saved_server import FIELDS, saved_server
from services.report import terminal


def takes_save(command: ArgumentParser) -> None:
    _takes_name(command)
    add(command, RunConfig, FIELDS)


def save(options: Namespace) -> int:
    """Save a server under a name, or replace the one with that name. No key is saved."""
    with naming_flags(options):
        fields = given(options, RunConfig)
        server = saved_server(options.server, fields | address_of(fields))
        servers.save(opened(), server)
    say(options, lambda: server, lambda: f"Saved. Pick it with --backend {server.name}.")
    return DONE


def takes_list(command: ArgumentParser) -> None:
    """No arguments."""


def list_servers(options: Namespace) -> int:
    """Print the saved servers."""
    rows = list(servers.listed(opened()).values())
    say(options, lambda: rows, lambda: terminal.servers_text(rows))
    return DONE


def takes_delete(command: ArgumentParser) -> None:
    _takes_name(command)


def delete(options: Namespace) -> int:
    """Delete a saved server. Runs that used it stay as they are."""
    servers.delete(opened(), options.server)
    say(options, lambda: {"deleted": True}, lambda: f"{options.server} is deleted.")
    return DONE


def _takes_name(command: ArgumentParser) -> None:
    command.add_argument("server", metavar="NAME")
