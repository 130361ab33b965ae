"""The shape of a study's JSON document, field by field."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Ends(BaseModel):
    """A number over repeats with its 95 % interval; null from fewer than 3 of them."""

    model_config = ConfigDict(extra="forbid")

    value: float
    low: float | None
    high: float | None


class CellRow(BaseModel):
    """One configuration at one work. Numbers are geometric means over repeats."""

    model_config = ConfigDict(extra="forbid")

    places: list[int] = Field(description="In the study's grid, from 0")
    runs: list[int] = Field(description="The runs' numbers; none where it was not measured")
    status: str | None
    configuration: str = Field(description="How it is parallel, and what else differs")
    work: str = Field(description="What was asked of it, as far as it differs")
    engine: dict[str, Any] | None = Field(description="null: the server was there already")
    devices: int | None = Field(description="tp × pp × dp; null: not known")
    mode: str
    requests: int
    concurrency: int | None
    workload: str
    max_tokens: int
    batch_size: int | None = Field(description="Configured max concurrency; null: an open loop")
    input_tokens: int | None = Field(description="Of a prompt, where it is made to a length")
    output_tokens_per_s: Ends | None
    requests_per_s: Ends | None
    ttft_s_median: Ends | None
    tpot_s_median: Ends | None
    e2e_s_median: Ends | None
    goodput_per_s: Ends | None
    usd_per_million_output: Ends | None = Field(description="At `usd_per_gpu_hour` a device")
    speedup: Ends | None = Field(description="Of the throughput, to the baseline's")
    speedup_p: float | None = Field(description="Of no difference, by itself")
    word: str = Field(
        description="baseline, faster, slower, equivalent, inconclusive, no verdict; over all "
        "speed-ups of the study by Holm's method"
    )
    efficiency: Ends | None = Field(description="Speed-up by device: 1 is ideal")
    output_tokens_per_s_per_device: Ends | None
    memory_bytes_most: float | None = Field(description="Peak of the fullest device")
    memory_bytes_least: float | None = Field(description="Peak of the emptiest device")
    failed_requests: int | None
    slo_attainment: float | None
    problem: str | None = Field(description="Why there is no number, or no verdict")


class LawRow(BaseModel):
    """The Universal Scalability Law, X(N) = unit·N / (1 + sigma(N − 1) + kappa·N(N − 1))."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["tp", "pp", "dp"]
    configurations: list[str]
    work: str
    sizes: list[int] = Field(description="N of the means that it is fitted to")
    unit: float = Field(description="Tokens/s of one")
    sigma: float = Field(description="Contention")
    kappa: float | None = Field(description="Coherency; null: two sizes do not tell it")
    sigma_interval: tuple[float, float] | None = Field(description="95 %, of chance among repeats")
    kappa_interval: tuple[float, float] | None
    worst: float = Field(description="Largest miss of a mean, as a share")
    peak: float | None = Field(description="N of the most throughput; null: none")


class BatchRow(BaseModel):
    """One configuration over batch sizes."""

    model_config = ConfigDict(extra="forbid")

    configuration: str
    batch_sizes: list[int]
    work: str = Field(description="Of the best")
    best: int = Field(description="Batch size of the most throughput")
    knee: int | None = Field(description="Smallest within 5 % of it; null: only one was measured")
    saturates: bool


class BestRow(BaseModel):
    """The best by one criterion, and the best of another configuration."""

    model_config = ConfigDict(extra="forbid")

    criterion: Literal["throughput", "latency", "cost", "objectives"]
    configuration: str
    work: str
    value: Ends
    unit: str
    runner_up: str | None
    runner_up_work: str | None
    times_as_good: Ends | None
    word: str = Field(description="faster: it is ahead; adjusted for having been picked")


class StudyDocument(BaseModel):
    """A study: what it says, and the numbers behind it."""

    model_config = ConfigDict(extra="forbid")

    schema_: Literal["paceline/study/1"] = Field(alias="schema", description="Name, version")
    content_sha256: str = Field(description="Of the engines asked for and all runs' own hashes")
    name: str
    device: Literal["GPU", "core", "device"] = Field(description="What one rank runs on")
    usd_per_gpu_hour: float | None
    sentence: str = Field(description="What is said first")
    sentences: list[str]
    notes: list[str]
    cells: list[CellRow]
    laws: list[LawRow]
    batches: list[BatchRow]
    best: list[BestRow]
