"""An engine on several machines: the command of each, and whether what answers is what was meant.

Paceline starts nothing on another machine: a person starts these, and it attaches to the first.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from services.servers.engines import sglang, vllm
from services.servers.engines.arguments import check_extra, named
from services.servers.engines.config import EngineConfig, parallel_label
from services.servers.engines.problem import EngineProblem
from services.servers.engines.table import ENGINES

RAY_PORT, MEETING_PORT, REPLICA_PORT = 6379, 29_501, 13_345
SIZES = {"tp": "tensor_parallel", "pp": "pipeline_parallel", "dp": "data_parallel"}


@dataclass(frozen=True, slots=True)
class NodeCommand:
    """What to run on machine `node`, the head being 0, and what to know about it."""

    node: int
    text: str
    note: str


def commands(config: EngineConfig, head: str, port: int) -> list[NodeCommand]:
    """Return the commands that start `config` on `config.nodes` machines, in their order. `head` is
    the first one's address, as the others and Paceline reach it; there it serves on `port`.

    Raises:
        EngineProblem: the engine cannot be spread like that.
    """
    if config.engine not in WAYS:
        raise EngineProblem(f"{ENGINES[config.engine].label} runs on one machine.")
    if not config.model:
        raise EngineProblem("Name a model: a name, or a folder that every machine has.")
    if (config.tp * config.pp * config.dp) % config.nodes:
        raise EngineProblem(
            f"{config.ranks} GPUs cannot be shared equally among {config.nodes} machines."
        )
    check_extra(config)
    return WAYS[config.engine](config, head, port)


def check_topology(facts: Mapping[str, Any], config: EngineConfig) -> str | None:
    """Return how what answers (see `facts.engine_facts`) differs from what was asked for, in a
    sentence; None where it does not, or does not tell."""
    odd = [
        f"{size.upper()} {facts[fact]} instead of {getattr(config, size)}"
        for size, fact in SIZES.items()
        if facts.get(fact) is not None and facts[fact] != getattr(config, size)
    ]
    if not odd:
        return None
    return (
        f"What answers has {' and '.join(odd)}: it is not the engine that was asked for "
        f"({parallel_label(config)}). Stop it, and start the command of every node."
    )


def _sglang(config: EngineConfig, head: str, port: int) -> list[NodeCommand]:
    if config.dp > 1:
        raise EngineProblem(
            "SGLang spreads no replicas (DP) over machines: start one on each, or use TP and PP."
        )
    start = ["python", "-m", "sglang.launch_server", "--model-path", config.model]
    same = named({"--nnodes": config.nodes, "--dist-init-addr": f"{head}:{MEETING_PORT}"})
    asked = [*start, *named(sglang.arguments(config, gpu=True)), "--enable-metrics", *same]

    def text(node: int) -> str:
        return _line([*asked, *config.extra_arguments, "--node-rank", str(node), *_at(head, port)])

    return _numbered(config, text, f"Serves when every node has reached {head}:{MEETING_PORT}.")


def _vllm(config: EngineConfig, head: str, port: int) -> list[NodeCommand]:
    vllm.check(config)
    asked = [*("vllm", "serve", config.model), *named(vllm.sizes(config)), *vllm.on_gpus(config)]
    asked += [*named(_parallel(config)), *config.extra_arguments]
    if config.dp > 1:
        return _replicas(config, asked, head, port)
    return (_by_itself if config.executor == "mp" else _with_ray)(config, asked, head, port)


def _with_ray(config: EngineConfig, asked: list[str], head: str, port: int) -> list[NodeCommand]:
    serve = _line([*asked, "--distributed-executor-backend", "ray", *_at(head, port)])
    first = f"ray start --head --port={RAY_PORT}"
    join = f"ray start --address={head}:{RAY_PORT}"
    waits = f"The last line when `ray status` counts {config.nodes} nodes; `ray stop` ends each."
    return [
        NodeCommand(0, f"{first}\n{serve}", waits),
        *(NodeCommand(node, join, "Joins the head's Ray.") for node in range(1, config.nodes)),
    ]


def _by_itself(config: EngineConfig, asked: list[str], head: str, port: int) -> list[NodeCommand]:
    meeting = {"--nnodes": config.nodes, "--master-addr": head, "--master-port": MEETING_PORT}
    same = [*asked, *named({"--distributed-executor-backend": "mp", **meeting})]

    def text(node: int) -> str:
        rest = ["--headless"] if node else _at(head, port)
        return _line([*same, "--node-rank", str(node), *rest])

    return _numbered(config, text, f"Serves when every node has reached {head}:{MEETING_PORT}.")


def _replicas(config: EngineConfig, asked: list[str], head: str, port: int) -> list[NodeCommand]:
    here, odd = divmod(config.dp, config.nodes)
    if odd:
        raise EngineProblem(
            f"{config.dp} replicas cannot be shared equally among {config.nodes} machines: "
            "a replica stays on one."
        )
    rpc = {"--data-parallel-address": head, "--data-parallel-rpc-port": REPLICA_PORT}
    same = [*asked, *named({"--data-parallel-size-local": here, **rpc})]

    def text(node: int) -> str:
        rest = ["--headless", "--data-parallel-start-rank", str(node * here)]
        return _line([*same, *(rest if node else _at(head, port))])

    return _numbered(config, text, f"Serves when every node has reached {head}:{REPLICA_PORT}.")


def _parallel(config: EngineConfig) -> dict[str, object]:
    return {
        "--tensor-parallel-size": config.tp,
        "--pipeline-parallel-size": config.pp,
        "--data-parallel-size": config.dp if config.dp > 1 else None,
    }


def _numbered(config: EngineConfig, text: Callable[[int], str], note: str) -> list[NodeCommand]:
    notes = [note, *["Waits for the head."] * (config.nodes - 1)]
    return [NodeCommand(node, text(node), notes[node]) for node in range(config.nodes)]


def _at(head: str, port: int) -> list[str]:
    return ["--host", head, "--port", str(port)]


def _line(argv: list[str]) -> str:
    return shlex.join(argv)


WAYS: dict[str, Callable[[EngineConfig, str, int], list[NodeCommand]]] = {
    "sglang": _sglang,
    "vllm": _vllm,
}
