"""SGLang as a command: `sglang.launch_server`, on GPUs or with the CPU build.

Arguments: https://docs.sglang.io/advanced_features/server_arguments.html; the CPU's:
docs/engines.md.
"""

from __future__ import annotations

from services.servers.engines.arguments import final_arguments, options
from services.servers.engines.config import EngineConfig
from services.servers.engines.host import Host
from services.servers.engines.launch import Launch
from services.servers.engines.problem import EngineProblem

PYTHON = ("PACELINE_SGLANG_PYTHON", ".venv-sglang", ".venv-sglang-cpu")
CPU_TOKENS = 32_768  # of key-value cache on a CPU; otherwise its size follows the machine's memory
ON_CPU = {
    "--device": "cpu",
    "--attention-backend": "torch_native",
    "--sampling-backend": "pytorch",
    "--grammar-backend": "none",
    "--max-total-tokens": CPU_TOKENS,
    "--disable-overlap-schedule": True,
}


def command(config: EngineConfig, host: Host, port: int) -> Launch:
    """Return the command of SGLang.

    Raises:
        EngineProblem: SGLang does not support the config.
    """
    if config.executor not in ("auto", "mp"):
        raise EngineProblem(
            f"SGLang starts its processes itself, not with {config.executor}: leave the executor "
            "on auto."
        )
    python = host.interpreter(*PYTHON)
    model = host.model(config)
    argv = [
        *(str(python), "-m", "sglang.launch_server", "--model-path", model.source),
        *options({"--served-model-name": model.name, **common_options(config, host.gpu)}),
        *options({} if host.gpu else ON_CPU),
        "--enable-metrics",
        *final_arguments(config, port),
    ]
    env = host.environment(python, model.is_local)
    env |= {} if host.gpu else _core_binding(config, host)
    return Launch("SGLang", argv, port, model.name, env, host.unset(), low_priority=not host.gpu)


def common_options(config: EngineConfig, gpu: bool) -> dict[str, object]:
    """Return the options that are the same on one machine and on several."""
    chunk = -1 if config.chunked_prefill is False else config.chunk_tokens
    return {
        "--tp-size": config.tp,
        "--pp-size": config.pp,
        "--dp-size": config.dp,
        "--dtype": config.dtype,
        "--context-length": config.max_model_len,
        "--max-running-requests": config.max_seqs,
        "--max-prefill-tokens": config.max_batched_tokens,
        "--mem-fraction-static": config.gpu_memory_share or (None if gpu else 0.3),
        "--chunked-prefill-size": chunk,
        "--cuda-graph-backend-decode": "disabled" if config.eager and gpu else None,
        "--cuda-graph-backend-prefill": "disabled" if config.eager and gpu else None,
        "--quantization": config.quantization,
        "--load-format": "dummy" if config.dummy_weights else None,
        "--enable-cache-report": True,  # each request's cached tokens
    }


def _core_binding(config: EngineConfig, host: Host) -> dict[str, str]:
    """One core per rank. With more threads than free cores, OpenMP's barriers spin: 10× slower."""
    return {
        "SGLANG_USE_CPU_ENGINE": "1",
        "SGLANG_CPU_OMP_THREADS_BIND": "|".join(map(str, host.devices.numbers[: config.ranks])),
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
