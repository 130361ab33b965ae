"""An engine on several machines: the command of each, and a check of the server that answers.

Paceline starts nothing on other machines: you run these commands, and Paceline attaches to the
first machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from services.servers.engines import sglang, vllm
from services.servers.engines.arguments import check_extra, options
from services.servers.engines.config import EngineConfig, parallel_label
from services.servers.engines.launch import command_text
from services.servers.engines.problem import EngineProblem
from services.servers.engines.table import ENGINES

RAY_PORT, RENDEZVOUS_PORT, REPLICA_PORT = 6379, 29_501, 13_345
SIZES = {"tp": "tensor_parallel", "pp": "pipeline_parallel", "dp": "data_parallel"}


@dataclass(frozen=True, slots=True)
class NodeCommand:
    """The command to run on machine `node`, where 0 is the head, and a note about it."""

    node: int
    text: str
    note: str


def commands(config: EngineConfig, head: str, port: int) -> list[NodeCommand]:
    """Return the commands that start `config` on `config.nodes` machines, in order. `head` is the
    address at which the other machines and Paceline reach the first, which serves on `port`.

    Raises:
        EngineProblem: the engine cannot run on these machines.
    """
    if config.engine not in BUILDERS:
        raise EngineProblem(f"{ENGINES[config.engine].label} runs on one machine.")
    if not config.model:
        raise EngineProblem("Enter a model: a name, or a folder that exists on every machine.")
    if (config.tp * config.pp * config.dp) % config.nodes:
        raise EngineProblem(
            f"{config.ranks} GPUs cannot be shared equally among {config.nodes} machines."
        )
    check_extra(config)
    return BUILDERS[config.engine](config, head, port)


def check_topology(facts: Mapping[str, Any], config: EngineConfig) -> str | None:
    """Return how the topology of the server (see `facts.engine_facts`) differs from `config`, as a
    sentence; None if it does not differ or is not reported."""
    differences = [
        f"{size.upper()} {facts[fact]} instead of {getattr(config, size)}"
        for size, fact in SIZES.items()
        if facts.get(fact) is not None and facts[fact] != getattr(config, size)
    ]
    if not differences:
        return None
    return (
        f"The server that answers has {' and '.join(differences)}: this is not the requested "
        f"engine ({parallel_label(config)}). Stop it, and run the command of every node."
    )


def _sglang(config: EngineConfig, head: str, port: int) -> list[NodeCommand]:
    if config.dp > 1:
        raise EngineProblem(
            "SGLang cannot run replicas (DP) across machines: start one on each, or use TP and PP."
        )
    start = ["python", "-m", "sglang.launch_server", "--model-path", config.model]
    common = options({"--nnodes": config.nodes, "--dist-init-addr": f"{head}:{RENDEZVOUS_PORT}"})
    argv = [*start, *options(sglang.common_options(config, gpu=True)), "--enable-metrics", *common]

    def text(node: int) -> str:
        return command_text(
            [*argv, *config.extra_arguments, "--node-rank", str(node), *_address(head, port)]
        )

    return _per_node(config, text, f"Ready when every node has reached {head}:{RENDEZVOUS_PORT}.")


def _vllm(config: EngineConfig, head: str, port: int) -> list[NodeCommand]:
    vllm.check(config)
    argv = [
        *("vllm", "serve", config.model),
        *options(vllm.common_options(config)),
        *vllm.gpu_options(config),
    ]
    argv += [*options(_parallel_options(config)), *config.extra_arguments]
    if config.dp > 1:
        return _replicas(config, argv, head, port)
    return (_with_mp if config.executor == "mp" else _with_ray)(config, argv, head, port)


def _with_ray(config: EngineConfig, argv: list[str], head: str, port: int) -> list[NodeCommand]:
    serve = command_text([*argv, "--distributed-executor-backend", "ray", *_address(head, port)])
    first = f"ray start --head --port={RAY_PORT}"
    join = f"ray start --address={head}:{RAY_PORT}"
    waits = (
        f"Run the second command when `ray status` shows {config.nodes} nodes; `ray stop` ends "
        "each of them."
    )
    return [
        NodeCommand(0, f"{first}\n{serve}", waits),
        *(NodeCommand(node, join, "Joins the head's Ray.") for node in range(1, config.nodes)),
    ]


def _with_mp(config: EngineConfig, argv: list[str], head: str, port: int) -> list[NodeCommand]:
    meeting = {"--nnodes": config.nodes, "--master-addr": head, "--master-port": RENDEZVOUS_PORT}
    common = [*argv, *options({"--distributed-executor-backend": "mp", **meeting})]

    def text(node: int) -> str:
        rest = ["--headless"] if node else _address(head, port)
        return command_text([*common, "--node-rank", str(node), *rest])

    return _per_node(config, text, f"Ready when every node has reached {head}:{RENDEZVOUS_PORT}.")


def _replicas(config: EngineConfig, argv: list[str], head: str, port: int) -> list[NodeCommand]:
    per_node, rest = divmod(config.dp, config.nodes)
    if rest:
        raise EngineProblem(
            f"{config.dp} replicas cannot be shared equally among {config.nodes} machines: "
            "a replica cannot be split across machines."
        )
    rpc = {"--data-parallel-address": head, "--data-parallel-rpc-port": REPLICA_PORT}
    common = [*argv, *options({"--data-parallel-size-local": per_node, **rpc})]

    def text(node: int) -> str:
        headless = ["--headless", "--data-parallel-start-rank", str(node * per_node)]
        return command_text([*common, *(headless if node else _address(head, port))])

    return _per_node(config, text, f"Ready when every node has reached {head}:{REPLICA_PORT}.")


def _parallel_options(config: EngineConfig) -> dict[str, object]:
    return {
        "--tensor-parallel-size": config.tp,
        "--pipeline-parallel-size": config.pp,
        "--data-parallel-size": config.dp if config.dp > 1 else None,
    }


def _per_node(config: EngineConfig, text: Callable[[int], str], note: str) -> list[NodeCommand]:
    notes = [note, *["Waits for the head."] * (config.nodes - 1)]
    return [NodeCommand(node, text(node), notes[node]) for node in range(config.nodes)]


def _address(head: str, port: int) -> list[str]:
    return ["--host", head, "--port", str(port)]


BUILDERS: dict[str, Callable[[EngineConfig, str, int], list[NodeCommand]]] = {
    "sglang": _sglang,
    "vllm": _vllm,
}
