"""Ray Serve: replicas of the embedded llama.cpp behind one address, see `ray_app.py`."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from services.base.packaged_model import MODEL_NAME, model_path
from services.servers.engines import llamacpp
from services.servers.engines.arguments import options
from services.servers.engines.config import EngineConfig
from services.servers.engines.host import Host
from services.servers.engines.launch import Launch
from services.servers.engines.problem import EngineProblem

PYTHON = ("PACELINE_RAY_PYTHON", ".venv-ray", ".venv-ray")
APP = "services/servers/engines/ray_app.py"
WAIT = "--wait"
LONGEST_WAIT_S = 600.0


def command(config: EngineConfig, host: Host, port: int) -> Launch:
    """Return the command that starts `config.dp` replicas, each as large as one embedded engine.

    Raises:
        EngineProblem: as for `llamacpp.command`, or there are extra arguments other than a wait.
    """
    alone = llamacpp.command(config, host, port)
    python = host.interpreter(*PYTHON)
    numbers = {
        "--replicas": config.dp,
        "--port": port,
        "--slots": config.max_seqs or llamacpp.SLOTS,
        "--context": config.max_model_len or llamacpp.CONTEXT,
        "--model": model_path(),
        "--name": MODEL_NAME,
        WAIT: f"{wait:g}" if (wait := wait_s(config)) else None,
    }
    argv = [str(python), APP, *options(numbers)]
    env = host.environment(python, local=False) | {"RAY_USAGE_STATS_ENABLED": "0"}
    return replace(alone, label="Ray Serve", argv=argv, env=env)


def wait_s(config: EngineConfig) -> float:
    """Return how long each replica waits before it handles a request, in seconds: 0, or as given in
    `extra`.

    Raises:
        EngineProblem: `extra` has any other argument.
    """
    name, _, value = config.extra.strip().replace("=", " ", 1).partition(" ")
    if not name:
        return 0.0
    with suppress(ValueError):
        seconds = float(value)
        if name == WAIT and 0 <= seconds <= LONGEST_WAIT_S:
            return seconds
    raise EngineProblem(
        f"The only extra argument of Ray Serve is {WAIT} with a number of seconds, from 0 to "
        f"{LONGEST_WAIT_S:.0f}: {WAIT} 2."
    )


def only_waits(config: EngineConfig) -> bool:
    """Return whether replicas wait instead of working; False for an engine that cannot start."""
    with suppress(EngineProblem):
        return config.engine == "ray" and wait_s(config) > 0
    return False
