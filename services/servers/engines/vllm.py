"""vLLM as a command: `vllm serve`, on GPUs or with the CPU build.

Arguments: https://docs.vllm.ai/en/latest/cli/serve.html; the CPU's: docs/engines.md.
"""

from __future__ import annotations

from services.servers.engines.arguments import ending, named
from services.servers.engines.config import EngineConfig
from services.servers.engines.launch import Launch
from services.servers.engines.place import Place
from services.servers.engines.problem import EngineProblem

PYTHON = ("PACELINE_VLLM_PYTHON", ".venv-vllm", ".venv-vllm-cpu")
CPU_CACHE_BYTES = 512 * 2**20  # key-value cache of a rank on a CPU: 17,000 tokens of SmolLM2
CPU_SEQS, CPU_STEP = 128, 2048  # what vLLM takes itself for one core
# On a CPU compiling takes minutes and gains little. A pipeline that is plainly eager skips its
# warm-up and dies at the first request; this way it is eager and warms up.
EAGER = ["--enforce-eager"]
EAGER_STAGES = ["--compilation-config.mode", "2", "--compilation-config.backend", "eager"]


def command(config: EngineConfig, place: Place, port: int) -> Launch:
    """Return how vLLM is started as `config` says.

    Raises:
        EngineProblem: what vLLM cannot be asked.
    """
    python = place.interpreter(*PYTHON)
    model, name, local = place.model(config)
    check(config)
    if not place.gpu and config.gpu_memory_share:
        raise EngineProblem("Here is no GPU whose memory could be shared: leave that empty.")
    if not place.gpu and config.executor == "ray":
        raise EngineProblem("On a CPU vLLM does not work with Ray: choose the executor mp.")
    argv = [
        *(str(python), "-m", "vllm.entrypoints.cli.main", "serve", model),
        *named({"--served-model-name": name, **_parallel(config), **sizes(config)}),
        *(on_gpus(config) if place.gpu else _on_cores(config)),
        *ending(config, port),
    ]
    env = {"VLLM_NO_USAGE_STATS": "1", "VLLM_SERVER_DEV_MODE": "1"}  # /server_info tells all
    env |= place.environment(python, local) | ({} if place.gpu else _bound(config, place))
    return Launch("vLLM", argv, port, name, env, place.unset(), steps_back=not place.gpu)


def check(config: EngineConfig) -> None:
    """See that vLLM can be asked for this. Raises EngineProblem."""
    if config.executor == "external_launcher":
        raise EngineProblem(
            "vLLM's external launcher (torchrun) works without a server only, so there is nothing "
            "to send requests to. Choose mp, or ray for several machines."
        )
    if config.chunk_tokens and config.max_batched_tokens not in (None, config.chunk_tokens):
        raise EngineProblem(
            "In vLLM a step is as long as a chunk: give chunk_tokens or max_batched_tokens."
        )


def _parallel(config: EngineConfig) -> dict[str, object]:
    return {
        "--tensor-parallel-size": config.tp,
        "--pipeline-parallel-size": config.pp,
        "--data-parallel-size": config.dp,
        "--distributed-executor-backend": None if config.executor == "auto" else config.executor,
    }


def sizes(config: EngineConfig) -> dict[str, object]:
    """Return the arguments that are the same everywhere."""
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
    }


def on_gpus(config: EngineConfig) -> list[str]:
    """Return the arguments that only GPUs have."""
    shares = named({"--gpu-memory-utilization": config.gpu_memory_share})
    return [*shares, *(EAGER if config.eager else [])]


def _on_cores(config: EngineConfig) -> list[str]:
    """Its own defaults for a CPU double with TP, and would be a second difference of a study."""
    step = config.chunk_tokens or config.max_batched_tokens or config.chunked_prefill is False
    fixed = {
        "--kv-cache-memory-bytes": CPU_CACHE_BYTES,
        "--max-num-seqs": None if config.max_seqs else CPU_SEQS,
        "--max-num-batched-tokens": None if step else CPU_STEP,
        "--api-server-count": 1 if config.dp > 1 else None,  # each takes 0.6 GB
    }
    return [*named(fixed), *(EAGER_STAGES if config.pp > 1 else EAGER)]


def _bound(config: EngineConfig, place: Place) -> dict[str, str]:
    """A rank a core: by default one rank would take all but one core, and two none."""
    numbers = place.devices.numbers[: config.ranks]
    return {"VLLM_CPU_OMP_THREADS_BIND": "|".join(map(str, numbers)), "CUDA_VISIBLE_DEVICES": ""}
