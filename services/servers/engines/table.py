"""The engines that Paceline can start: one table, and what is asked of an entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from services.servers.engines import llamacpp, ray_serve, sglang, vllm
from services.servers.engines.config import EngineConfig
from services.servers.engines.devices import Devices, cores
from services.servers.engines.failures import FAILURES, Failure
from services.servers.engines.launch import Launch
from services.servers.engines.place import Place, here
from services.servers.engines.problem import EngineProblem

COMMON = ("engine", "start_timeout_s", "tp", "pp", "dp", "nodes")
SERVERS = (
    *("model", "executor", "dtype", "max_model_len", "max_seqs", "max_batched_tokens"),
    *("gpu_memory_share", "chunked_prefill", "chunk_tokens", "eager", "quantization"),
    *("dummy_weights", "extra"),
)


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """One entry. `backend` is how runs address it (see BACKENDS); `knows` are the ways in which it
    can be parallel; `parameters` the fields of an EngineConfig that it reads; `python` the
    variable that names its interpreter and the folders where it is otherwise, None: our own.
    `on_cores`: it computes on the cores, also where there are GPUs."""

    name: str
    label: str
    backend: str
    knows: tuple[str, ...]
    parameters: tuple[str, ...]
    command: Callable[[EngineConfig, Place, int], Launch]
    python: tuple[str, str, str] | None
    install_gpu: str
    install_cpu: str
    several_nodes: bool = False
    on_cores: bool = False

    @property
    def failures(self) -> tuple[Failure, ...]:
        """What its log is looked through for, see `diagnose`."""
        return FAILURES[self.name]

    def devices(self, here: Devices) -> Devices:
        """Return what it computes on, of a machine that has those of `here`."""
        return cores() if self.on_cores and here.kind == "gpu" else here

    def install(self, gpu: bool) -> str:
        """Return the command that installs it."""
        return self.install_gpu if gpu else self.install_cpu

    def interpreter(self, place: Place) -> Path | None:
        """Return the Python that it runs with; None: our own."""
        return place.interpreter(*self.python) if self.python else None

    def is_installed(self, place: Place) -> bool:
        """Return whether that Python is there."""
        python = self.interpreter(place)
        return python is None or python.exists()


def launch(config: EngineConfig, port: int, env: Mapping[str, str]) -> Launch:
    """Return the command that starts `config` on this machine, serving on `port`.

    Raises:
        EngineProblem: the engine is not installed, or cannot do what is asked.
    """
    return launch_at(config, port, here(env))


def launch_at(config: EngineConfig, port: int, place: Place) -> Launch:
    """Do the same for a `place`."""
    spec = ENGINES[config.engine]
    if sentence := unknown(config) or missing(spec, place):
        raise EngineProblem(sentence)
    return spec.command(config, place, port)


def missing(spec: EngineSpec, place: Place) -> str | None:
    """Return that it is not installed, and how it would be; None where it is."""
    if spec.is_installed(place):
        return None
    where = f", or name its Python in {spec.python[0]}" if spec.python else ""
    return f"{spec.label} is not installed: {spec.install(place.gpu)}{where}."


def unknown(config: EngineConfig) -> str | None:
    """Return which options the engine of `config` does not have; None where it has all."""
    spec = ENGINES[config.engine]
    plain = EngineConfig(engine=config.engine)
    for kind in ("tp", "pp", "dp"):
        if getattr(config, kind) > 1 and kind not in spec.knows:
            can = " and ".join(spec.knows) or "none of tp, pp and dp"
            return f"{spec.label} does not know {kind}={getattr(config, kind)}. It knows {can}."
    if config.nodes > 1:
        where = (
            "start each machine's command, then attach" if spec.several_nodes else "leave it at 1"
        )
        return f"{spec.label} is started on one machine, not on {config.nodes}: {where}."
    known = {*COMMON, *spec.parameters}
    asked = (n for n in type(config).model_fields if getattr(config, n) != getattr(plain, n))
    if odd := [name for name in asked if name not in known]:
        return f"{spec.label} does not know {', '.join(odd)}: leave {_them(odd)} empty."
    return None


def _them(names: list[str]) -> str:
    return "it" if len(names) == 1 else "them"


_ENTRIES = (
    EngineSpec(
        name="vllm",
        label="vLLM",
        backend="vllm",
        knows=("tp", "pp", "dp"),
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
        knows=("tp", "pp", "dp"),
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
        knows=(),
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
        knows=("dp",),
        parameters=("model", "max_model_len", "max_seqs"),
        command=ray_serve.command,
        python=ray_serve.PYTHON,
        install_gpu="make engines-ray",
        install_cpu="make engines-ray",
        on_cores=True,
    ),
)

ENGINES: dict[str, EngineSpec] = {entry.name: entry for entry in _ENTRIES}
