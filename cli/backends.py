"""`backends`: the servers that can be measured, and the results of testing them."""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser, Namespace

from cli.fields import add, given_fields
from cli.output import DONE, print_result
from services.ask.backends import BACKENDS
from services.ask.config import RunConfig
from services.base import settings
from services.report import terminal
from services.servers.check_backend import check_backend

# Fields of a run that say where a test is sent, and how.
OF_A_TEST = (
    "model",
    "base_url",
    "dialect",
    "omit",
    "max_tokens_field",
    "temperature",
    "top_p",
    "extra_body",
    "headers",
    "ca_file",
    "insecure_tls",
)


def add_arguments(command: ArgumentParser) -> None:
    command.add_argument(
        "name", nargs="?", metavar="NAME", choices=[*BACKENDS], help="One backend (default: all)"
    )
    command.add_argument("--test", action="store_true", help="Check that each backend answers")
    add(command, RunConfig, OF_A_TEST)


def backends(options: Namespace) -> int:
    """Print the backends; with --test, also test each of them."""
    names = [options.name] if options.name else list(BACKENDS)
    probes = None
    if options.test:
        fields = given_fields(options, RunConfig)
        model, base_url = fields.pop("model", None), fields.pop("base_url", None)
        probes = {
            name: asyncio.run(check_backend(name, model, settings.environment(), base_url, fields))
            for name in names
        }
    rows = terminal.backend_rows(names, settings.environment(), probes)
    print_result(options, lambda: rows, lambda: terminal.backends_text(rows))
    return DONE
