"""What of an EngineConfig becomes an argument in the same way for every engine."""

from __future__ import annotations

from collections.abc import Mapping

from services.servers.engines.config import EngineConfig
from services.servers.engines.launch import HOST
from services.servers.engines.problem import EngineProblem

# What Paceline sets itself: another address would not be found, or be open to the network.
OWN = ("--host", "--port", "--served-model-name", "--uds")


def named(pairs: Mapping[str, object]) -> list[str]:
    """Return ["--name", "value", …] of those that are set; True is a switch."""
    return [part for name, value in pairs.items() for part in _argument(name, value)]


def ending(config: EngineConfig, port: int) -> list[str]:
    """Return the person's own arguments and, last because the last one counts, the address.

    Raises:
        EngineProblem: as `check_extra`.
    """
    check_extra(config)
    return [*config.extra_arguments, "--host", HOST, "--port", str(port)]


def check_extra(config: EngineConfig) -> None:
    """See that the person's own arguments set nothing that Paceline sets. Raises EngineProblem."""
    for given in config.extra_arguments:
        name = given.partition("=")[0].replace("_", "-")
        if len(name) > 2 and any(own.startswith(name) for own in OWN):
            raise EngineProblem(f"Paceline sets {name} itself: leave it out of the arguments.")


def _argument(name: str, value: object) -> list[str]:
    if value is None or value is False or value == "":
        return []
    return [name] if value is True else [name, str(value)]
