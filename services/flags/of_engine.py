"""Every field of an engine as a flag, and back."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from services.flags.kinds import whole
from services.flags.of_field import add, given
from services.servers.engines import EngineConfig, parse_engine


def start(command: ArgumentParser) -> None:
    add(command, EngineConfig, EngineConfig.model_fields)


def one(command: ArgumentParser) -> None:
    command.add_argument("engine", type=whole, metavar="ENGINE")


def engine(options: Namespace) -> EngineConfig:
    """Return the engine that was asked for. Raises InvalidConfig."""
    return parse_engine(given(options, EngineConfig))
