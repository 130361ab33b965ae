"""Ray Serve: replicas of the embedded llama.cpp behind one address, see `ray_app.py`."""

from __future__ import annotations

from dataclasses import replace

from services.base.packaged_model import MODEL_NAME, model_path
from services.servers.engines import llamacpp
from services.servers.engines.arguments import named
from services.servers.engines.config import EngineConfig
from services.servers.engines.launch import Launch
from services.servers.engines.place import Place

PYTHON = ("PACELINE_RAY_PYTHON", ".venv-ray", ".venv-ray")
APP = "services/servers/engines/ray_app.py"


def command(config: EngineConfig, place: Place, port: int) -> Launch:
    """Return how `config.dp` replicas are started, each as large as one embedded engine.

    Raises:
        EngineProblem: as `llamacpp.command`.
    """
    alone = llamacpp.command(config, place, port)
    python = place.interpreter(*PYTHON)
    numbers = {
        "--replicas": config.dp,
        "--port": port,
        "--slots": config.max_seqs or llamacpp.SLOTS,
        "--context": config.max_model_len or llamacpp.CONTEXT,
        "--model": model_path(),
        "--name": MODEL_NAME,
    }
    argv = [str(python), APP, *named(numbers)]
    env = place.environment(python, local=False) | {"RAY_USAGE_STATS_ENABLED": "0"}
    return replace(alone, label="Ray Serve", argv=argv, env=env)
