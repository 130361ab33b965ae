"""Study presets: what each varies, and its defaults."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from services.ask.config import RunConfig, parse
from services.ask.workloads.mixed import CLASSES, alone
from services.servers.engines.config import EngineName
from services.studies.parallel import Parallel

Changes = dict[str, Any]
CLIENTS = 5  # concurrent clients, as in the old system's asynchronous API
INTERVAL_S = 0.06125


def _unchanged(run: RunConfig) -> list[Changes]:
    return [{}]


def _class_loads(run: RunConfig) -> list[Changes]:
    """Short requests alone, long requests alone, and both mixed. Raises InvalidConfig."""
    mix = parse({**run.model_dump(), "workload": "mixed"})
    each = [alone(mix, name) for name in CLASSES]
    return [_changes(run, alone_run) for alone_run in each] + [{"workload": "mixed"}]


def _changes(run: RunConfig, other: RunConfig) -> Changes:
    fields = type(run).model_fields
    return {
        name: getattr(other, name) for name in fields if getattr(other, name) != getattr(run, name)
    }


def _submission_loads(run: RunConfig) -> list[Changes]:
    """The same requests in three modes: sequential, staggered, and all at once."""
    return [load for load in _client_loads(run) if load["concurrency"] is None]


def _client_loads(run: RunConfig) -> list[Changes]:
    """The same requests one after another, from clients arriving independently, from a few
    concurrent clients (as many as the run's concurrency), and as one batch."""
    return [
        {"mode": "sequential", "pause_s": 0.0, "concurrency": None},
        {"mode": "staggered", "interval_s": INTERVAL_S, "concurrency": None},
        {"mode": "batch", "concurrency": run.concurrency or CLIENTS},
        {"mode": "batch", "concurrency": None},
    ]


@dataclass(frozen=True, slots=True)
class Preset:
    """A kind of study. `parallel` are the parallel sizes of its engines; `loads` derives the loads
    from the run, one for each column of the grid; the other tuples are the defaults of the axes.
    `starts_engines`: Paceline starts the engines."""

    name: str
    label: str
    help: str
    parallel: tuple[Parallel, ...] = (Parallel(),)
    loads: Callable[[RunConfig], Sequence[Changes]] = _unchanged
    chunked: tuple[bool, ...] = ()
    batches: tuple[int, ...] = ()
    concurrencies: tuple[int, ...] = ()
    input_lengths: tuple[int, ...] = ()
    starts_engines: bool = True
    capacity: bool = False  # search each configuration's capacity, instead of fixed loads
    run: tuple[tuple[str, Any], ...] = ()  # initial fields of the run
    engine: tuple[tuple[str, Any], ...] = ()  # initial fields of the engine
    usual_engine: EngineName = "vllm"
    form_fields: tuple[
        str, ...
    ] = ()  # fields of the run to offer in the form besides the usual ones

    @property
    def sets_mode(self) -> bool:
        """Whether the preset decides how requests are sent."""
        return "mode" in dict(self.run) or self.derives_loads

    @property
    def derives_loads(self) -> bool:
        """Whether the preset itself varies what is sent."""
        return self.loads is not _unchanged


MIX = ("interval_s", "input_tokens", "long_input_tokens", "long_every", "long_max_tokens")
TENSOR = tuple(Parallel(tp=size) for size in (1, 2, 4, 8))
PIPELINE = tuple(Parallel(pp=size) for size in (1, 2, 4))
DATA = tuple(Parallel(dp=size) for size in (1, 2, 4))
MIXED = (Parallel(), Parallel(2, 2), Parallel(4, 2), Parallel(2, 4))
BATCHES = (1, 8, 32)

_ENTRIES = (
    Preset(
        "tensor",
        "Tensor parallel",
        "Each layer is split across devices, which compute every token together.",
        TENSOR,
        batches=BATCHES,
    ),
    Preset(
        "pipeline",
        "Pipeline parallel",
        "The layers are split into stages, each on devices of its own.",
        PIPELINE,
        batches=BATCHES,
    ),
    Preset(
        "data", "Data parallel", "Replicas of the model share the requests.", DATA, batches=BATCHES
    ),
    Preset(
        "mixed_parallel",
        "Tensor and pipeline",
        "Stages, each of which is split across devices.",
        MIXED,
        batches=BATCHES,
    ),
    Preset(
        "scaling",
        "Scaling study",
        "All of these together: how does this model scale on this machine?",
        tuple(dict.fromkeys((*TENSOR, *PIPELINE, *DATA, *MIXED))),
        batches=BATCHES,
    ),
    Preset(
        "capacity",
        "Highest capacity",
        "Which configuration sustains the highest load within the objectives? Searches for the "
        "capacity of each, then measures the two best again, alternating on fresh starts.",
        (Parallel(tp=2, dp=2), Parallel(tp=4)),
        capacity=True,
        run=(("repeats", 1),),
    ),
    Preset("custom", "Custom", "Sizes of your choice, such as TP=4 PP=2 DP=1.", batches=BATCHES),
    Preset(
        "mixed",
        "Mixed workload",
        "Do short requests wait for long ones? Each kind alone, then together, with chunked "
        "prefill on and off.",
        loads=_class_loads,
        chunked=(True, False),
        run=(
            ("mode", "staggered"),
            ("requests", 16),
            ("interval_s", 0.25),
            ("max_tokens", 32),
            ("input_tokens", 64),
            ("long_input_tokens", 1024),
        ),
        engine=(("chunk_tokens", 256),),
        form_fields=MIX,
    ),
    Preset(
        "concurrency",
        "Concurrency sweep",
        "How do throughput and latency change with the number of requests in flight?",
        concurrencies=(1, 2, 4, 8, 16),
        starts_engines=False,
        run=(("requests", 32), ("mode", "batch")),
    ),
    Preset(
        "clients",
        "Clients versus one batch",
        f"The same requests one after another, from clients arriving independently, from {CLIENTS} "
        "concurrent clients, and as one batch.",
        loads=_client_loads,
        starts_engines=False,
        run=(("requests", 16),),
    ),
    Preset(
        "replicas",
        "Sequential, async, batch, parallel",
        "The same five requests one after another, submitted without waiting, and as one batch, on "
        "one replica and on three, each of which answers one request at a time.",
        parallel=(Parallel(), Parallel(dp=3)),
        loads=_submission_loads,
        run=(("requests", CLIENTS),),
        engine=(("max_seqs", 1),),
        usual_engine="ray",
    ),
    Preset(
        "batch_length",
        "Batch × length",
        "Every batch size with every prompt length.",
        batches=(1, 4, 16),
        input_lengths=(512, 1024, 2048),
        starts_engines=False,
    ),
)

PRESETS: dict[str, Preset] = {entry.name: entry for entry in _ENTRIES}
