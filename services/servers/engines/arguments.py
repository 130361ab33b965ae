"""Command-line arguments that are built in the same way for every engine."""

from __future__ import annotations

from collections.abc import Mapping

from services.servers.engines.config import EngineConfig
from services.servers.engines.launch import HOST
from services.servers.engines.problem import EngineProblem

# Set by Paceline: an engine at another address would be unreachable, or open to the network.
OWN = ("--host", "--port", "--served-model-name", "--uds")


def options(pairs: Mapping[str, object]) -> list[str]:
    """Return ["--name", "value", …] of the options that are set; True is a switch."""
    return [part for name, value in pairs.items() for part in _argument(name, value)]


def final_arguments(config: EngineConfig, port: int) -> list[str]:
    """Return the extra arguments followed by the address: for repeated arguments, the last one
    counts.

    Raises:
        EngineProblem: as `check_extra`.
    """
    check_extra(config)
    return [*config.extra_arguments, "--host", HOST, "--port", str(port)]


def check_extra(config: EngineConfig) -> None:
    """Check that the extra arguments set nothing that Paceline sets. Raises EngineProblem."""
    for argument in config.extra_arguments:
        name = argument.partition("=")[0].replace("_", "-")
        if len(name) > 2 and any(own.startswith(name) for own in OWN):
            raise EngineProblem(f"Paceline sets {name} itself: leave it out of the arguments.")


def _argument(name: str, value: object) -> list[str]:
    if value is None or value is False or value == "":
        return []
    return [name] if value is True else [name, str(value)]
