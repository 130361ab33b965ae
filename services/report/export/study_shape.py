"""The fields of a study's JSON document."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Ends(BaseModel):
    """A mean over repeats with its 95 % interval, which is null for fewer than 3 repeats."""

    model_config = ConfigDict(extra="forbid")

    value: float
    low: float | None
    high: float | None


class CellRow(BaseModel):
    """One configuration at one load. Numbers are geometric means over repeats."""

    model_config = ConfigDict(extra="forbid")

    positions: list[int] = Field(description="Positions in the study's grid, from 0")
    runs: list[int] = Field(description="Ids of the runs; empty: not measured")
    status: str | None
    configuration: str = Field(description="Label: its parallelism and other differences")
    load: str = Field(description="Label: how its load differs from the others")
    engine: dict[str, Any] | None = Field(description="Engine config; null: existing server")
    devices: int | None = Field(description="tp × pp × dp; null: unknown")
    mode: str
    requests: int
    concurrency: int | None
    workload: str
    max_tokens: int
    batch_size: int | None = Field(description="Configured max concurrency; null: open loop")
    input_tokens: int | None = Field(description="Length of a generated prompt")
    output_tokens_per_s: Ends | None
    requests_per_s: Ends | None
    ttft_s_median: Ends | None
    tpot_s_median: Ends | None
    e2e_s_median: Ends | None
    goodput_per_s: Ends | None
    submission_s: Ends | None = Field(description="First due to last sent, of a repeat")
    total_s: Ends | None = Field(description="First sent to last token, of a repeat")
    usd_per_million_output: Ends | None = Field(description="At `usd_per_gpu_hour` per device")
    speedup: Ends | None = Field(description="Throughput relative to the baseline")
    speedup_p: float | None = Field(description="p-value of the speed-up, not adjusted")
    word: str = Field(
        description="baseline, faster, slower, equivalent, inconclusive, no verdict; adjusted "
        "for all speed-ups of the study by Holm's method"
    )
    efficiency: Ends | None = Field(description="Speed-up per device: 1 is ideal")
    output_tokens_per_s_per_device: Ends | None
    memory_bytes_max: float | None = Field(description="Peak of the fullest device")
    memory_bytes_min: float | None = Field(description="Peak of the emptiest device")
    failed_requests: int | None
    slo_attainment: float | None
    problem: str | None = Field(description="Why there is no number or no verdict")


class LawRow(BaseModel):
    """The Universal Scalability Law, X(N) = unit·N / (1 + sigma(N − 1) + kappa·N(N − 1))."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["tp", "pp", "dp"]
    configurations: list[str]
    load: str
    sizes: list[int] = Field(description="Values of N that it is fitted to")
    unit: float = Field(description="Tokens/s at N = 1")
    sigma: float = Field(description="Contention")
    kappa: float | None = Field(description="Coherency; null: unknown from only two sizes")
    sigma_interval: tuple[float, float] | None = Field(description="95 % interval over repeats")
    kappa_interval: tuple[float, float] | None
    max_relative_error: float = Field(description="Largest relative error of the fit")
    peak: float | None = Field(description="N with the highest throughput; null: none")


class BatchRow(BaseModel):
    """One configuration over batch sizes."""

    model_config = ConfigDict(extra="forbid")

    configuration: str
    batch_sizes: list[int]
    load: str = Field(description="Load of the best batch size")
    best: int = Field(description="Batch size with the highest throughput")
    knee: int | None = Field(
        description="Smallest batch size within 5 % of the best; null: only one was measured"
    )
    saturates: bool


class BestRow(BaseModel):
    """The best configuration by one criterion, and the runner-up."""

    model_config = ConfigDict(extra="forbid")

    criterion: Literal["throughput", "latency", "cost", "objectives"]
    configuration: str
    load: str
    value: Ends
    unit: str
    runner_up: str | None
    runner_up_load: str | None
    ratio: Ends | None = Field(
        description="Of the value to the runner-up's; null: no repeats to compare"
    )
    word: str = Field(
        description="Verdict against the runner-up, adjusted for selection; faster: it is ahead"
    )


class StudyDocument(BaseModel):
    """A study: its findings and the numbers behind them."""

    model_config = ConfigDict(extra="forbid")

    schema_: Literal["paceline/study/3"] = Field(
        alias="schema", description="Name and version of this format"
    )
    content_sha256: str = Field(
        description="Hash of the requested engines and of the hashes of all runs"
    )
    name: str
    device: Literal["GPU", "core", "device"] = Field(
        description="Type of device that one rank runs on"
    )
    usd_per_gpu_hour: float | None
    sentence: str = Field(description="Headline")
    sentences: list[str]
    notes: list[str]
    cells: list[CellRow]
    laws: list[LawRow]
    batches: list[BatchRow]
    best: list[BestRow]
