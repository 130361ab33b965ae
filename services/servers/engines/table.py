"""The engines that Paceline can start, in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from services.servers.engines import llamacpp, ray_serve, sglang, vllm
from services.servers.engines.config import EngineConfig
from services.servers.engines.devices import Devices, cores
from services.servers.engines.failures import FAILURES, Failure
from services.servers.engines.host import Host, this_host
from services.servers.engines.launch import Launch
from services.servers.engines.problem import EngineProblem
from services.servers.engines.switch import turned_off

COMMON = ("engine", "start_timeout_s", "tp", "pp", "dp", "nodes")
SERVERS = (
    *("model", "executor", "dtype", "max_model_len", "max_seqs", "max_batched_tokens"),
    *("gpu_memory_share", "chunked_prefill", "chunk_tokens", "eager", "quantization"),
    *("dummy_weights", "extra"),
)


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """An engine. `backend` is how runs address it (see BACKENDS); `parallelism` are the kinds that
    it supports; `parameters` are the fields of an EngineConfig that it reads; `python` is the
    variable that names its interpreter and the folders where it is otherwise found, None:
    Paceline's. `on_cores`: it uses the CPU cores even where there are GPUs."""

    name: str
    label: str
    backend: str
    parallelism: tuple[str, ...]
    parameters: tuple[str, ...]
    command: Callable[[EngineConfig, Host, int], Launch]
    python: tuple[str, str, str] | None
    install_gpu: str
    install_cpu: str
    several_nodes: bool = False
    on_cores: bool = False

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The failures to look for in its log, see `diagnose`."""
        return FAILURES[self.name]

    def devices(self, here: Devices) -> Devices:
        """Return the devices that it uses on a machine with the devices `here`."""
        return cores() if self.on_cores and here.kind == "gpu" else here

    def install(self, gpu: bool) -> str:
        """Return the command that installs it."""
        return self.install_gpu if gpu else self.install_cpu

    def interpreter(self, host: Host) -> Path | None:
        """Return the Python that it runs with; None: Paceline's."""
        return host.interpreter(*self.python) if self.python else None

    def is_installed(self, host: Host) -> bool:
        """Return whether its Python exists."""
        python = self.interpreter(host)
        return python is None or python.exists()


def launch(config: EngineConfig, port: int, env: Mapping[str, str]) -> Launch:
    """Return the command that starts `config` on this machine, serving on `port`.

    Raises:
        EngineProblem: engines are turned off, or this one is not installed or does not support the
            config.
    """
    return launch_at(config, port, this_host(env))


def launch_at(config: EngineConfig, port: int, host: Host) -> Launch:
    """Return the command for `host`; see `launch`."""
    spec = ENGINES[config.engine]
    if sentence := turned_off(host.env) or unsupported(config) or not_installed(spec, host):
        raise EngineProblem(sentence)
    return spec.command(config, host, port)


def not_installed(spec: EngineSpec, host: Host) -> str | None:
    """Return a sentence that it is not installed, and how to install it; None if it is
    installed."""
    if spec.is_installed(host):
        return None
    where = f", or set {spec.python[0]} to its Python" if spec.python else ""
    return f"{spec.label} is not installed: {spec.install(host.gpu)}{where}."


def unsupported(config: EngineConfig) -> str | None:
    """Return the options of `config` that its engine does not support, as a sentence, or None."""
    spec = ENGINES[config.engine]
    plain = EngineConfig(engine=config.engine)
    for kind in ("tp", "pp", "dp"):
        if getattr(config, kind) > 1 and kind not in spec.parallelism:
            can = " and ".join(spec.parallelism) or "none of tp, pp and dp"
            return (
                f"{spec.label} does not support {kind}={getattr(config, kind)}. It supports {can}."
            )
    if config.nodes > 1:
        where = "run each machine's command, then attach" if spec.several_nodes else "leave it at 1"
        return f"{spec.label} can be started on one machine only, not on {config.nodes}: {where}."
    supported = {*COMMON, *spec.parameters}
    changed = (n for n in type(config).model_fields if getattr(config, n) != getattr(plain, n))
    if names := [name for name in changed if name not in supported]:
        return f"{spec.label} does not support {', '.join(names)}: leave {_pronoun(names)} empty."
    return None


def _pronoun(names: list[str]) -> str:
    return "it" if len(names) == 1 else "them"


_ENTRIES = (
    EngineSpec(
        name="vllm",
        label="vLLM",
        backend="vllm",
        parallelism=("tp", "pp", "dp"),
        parameters=SERVERS,
        command=vllm.command,
        python=vllm.PYTHON,
        install_gpu="python3 -m venv .venv-vllm && "
        ".venv-vllm/bin/pip install -r requirements-vllm.txt",
        install_cpu="make engines-cpu",
        several_nodes=True,
    ),
    EngineSpec(
        name="sglang",
        label="SGLang",
        backend="sglang",
        parallelism=("tp", "pp", "dp"),
        parameters=SERVERS,
        command=sglang.command,
        python=sglang.PYTHON,
        install_gpu="python3 -m venv .venv-sglang && "
        ".venv-sglang/bin/pip install -r requirements-sglang.txt",
        install_cpu="make engines-cpu",
        several_nodes=True,
    ),
    EngineSpec(
        name="llamacpp",
        label="llama.cpp (embedded)",
        backend="url",
        parallelism=(),
        parameters=("model", "max_model_len", "max_seqs"),
        command=llamacpp.command,
        python=None,
        install_gpu="",
        install_cpu="",
        on_cores=True,
    ),
    EngineSpec(
        name="ray",
        label="Ray Serve",
        backend="url",
        parallelism=("dp",),
        parameters=("model", "max_model_len", "max_seqs", "extra"),
        command=ray_serve.command,
        python=ray_serve.PYTHON,
        install_gpu="make engines-ray",
        install_cpu="make engines-ray",
        on_cores=True,
    ),
)

ENGINES: dict[str, EngineSpec] = {entry.name: entry for entry in _ENTRIES}
