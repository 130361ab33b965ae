"""Ray Serve: replicas of the embedded llama.cpp behind one address, see `ray_app.py`."""

from __future__ import annotations

from dataclasses import replace

from services.base.packaged_model import MODEL_NAME, model_path
from services.servers.engines import llamacpp
from services.servers.engines.arguments import options
from services.servers.engines.config import EngineConfig
from services.servers.engines.host import Host
from services.servers.engines.launch import Launch

PYTHON = ("PACELINE_RAY_PYTHON", ".venv-ray", ".venv-ray")
APP = "services/servers/engines/ray_app.py"


def command(config: EngineConfig, host: Host, port: int) -> Launch:
    """Return the command of `config.dp` replicas, each as large as one embedded engine.

    Raises:
        EngineProblem: as `llamacpp.command`.
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
    }
    argv = [str(python), APP, *options(numbers)]
    env = host.environment(python, local=False) | {"RAY_USAGE_STATS_ENABLED": "0"}
    return replace(alone, label="Ray Serve", argv=argv, env=env)
