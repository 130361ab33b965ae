"""One field of a run or of an engine as a widget: its label, its limits and its help come from
RunConfig or EngineConfig."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import streamlit as st

from pages.widgets import linked
from services.config import LONG_EVERY, LONG_TIMES, RunConfig
from services.engines import EngineConfig

PREFIX = "run-"
ENGINE = "engine-"
Config = RunConfig | EngineConfig

LABELS = {
    "pause_s": "Pause (s)",
    "interval_s": "Interval (s)",
    "concurrency": "Most in flight",
    "input_tokens": "Tokens in each prompt, about",
    "long_input_tokens": "Tokens in a long prompt, about",
    "long_every": "Every n-th is long",
    "long_max_tokens": "Max tokens of a long one's answer",
    "max_tokens": "Max tokens",
    "top_p": "Top-p",
    "ignore_eos": "Answer to full length (ignore end of text)",
    "unique_prompts": "Make every prompt unique",
    "warmup": "Warm-up requests",
    "timeout_s": "Timeout of a request (s)",
    "connect_timeout_s": "Timeout of a connection (s)",
    "first_token_timeout_s": "Timeout of the first token (s)",
    "chunk_timeout_s": "Timeout between chunks (s)",
    "processes": "Processes that send",
    "calibrate": "Calibrate this client at the same load",
    "stop_after_s": "Stop a repeat after (s)",
    "stop_after_errors": "Stop a repeat after this many failures",
    "base_url": "Address",
    "ttft_limit_s": "TTFT at most (s)",
    "tpot_limit_s": "TPOT at most (s)",
    "e2e_limit_s": "E2E at most (s)",
    "usd_per_hour": "Price of an hour (US $)",
    "tp": "Tensor parallel",
    "pp": "Pipeline parallel",
    "dp": "Data parallel",
    "max_model_len": "Max model length",
    "max_seqs": "Max sequences",
    "max_batched_tokens": "Max batched tokens",
    "gpu_memory_share": "GPU memory share",
    "chunked_prefill": "Chunked prefill",
    "chunk_tokens": "Tokens of a chunk",
    "quantization": "Quantisation",
    "dummy_weights": "Random weights",
    "extra": "Further arguments",
    "start_timeout_s": "Time limit of the start (s)",
    "batches": "Batch sizes",
    "input_lengths": "Prompt lengths (tokens)",
    "concurrencies": "Concurrencies",
    "parallel": "Parallel sizes",
    "chunked": "Chunked prefill",
    "usd_per_gpu_hour": "Price of a GPU-hour (US $)",
}
EMPTY = {
    "processes": "by load and cores",
    "concurrency": "all",
    "long_input_tokens": f"{LONG_TIMES} times a short one",
    "long_every": str(LONG_EVERY),
    "long_max_tokens": "as all",
}
STEPS = {
    "pause_s": 0.5,
    "interval_s": 0.01,
    "temperature": 0.1,
    "top_p": 0.05,
    "ttft_limit_s": 0.1,
    "tpot_limit_s": 0.01,
}


def label(field: str) -> str:
    """Return what a person reads for a field."""
    return LABELS.get(field, field.capitalize())


def in_words(sentence: str) -> str:
    """Put the form's label where a sentence begins with a field's name."""
    field, _, rest = sentence.partition(" ")
    known = field in LABELS or field in RunConfig.model_fields
    return f"{label(field)} {rest}" if known else sentence[:1].upper() + sentence[1:]


def begin(key: str, value: Any, prefix: str = PREFIX) -> str:
    """Give a widget of the form its first value; return its key."""
    return linked.begin(prefix + key, value)


def prefix_of(start: Config) -> str:
    """Return what the keys of a config's widgets begin with."""
    return PREFIX if isinstance(start, RunConfig) else ENGINE


def number(field: str, start: Config, words: str | None = None) -> float | int | None:
    """A number with the limits of the field; None where it may be left empty, and is. `words`:
    what it is called here, where that is not its label."""
    info = type(start).model_fields[field]
    kind: type[int] | type[float] = int if "int" in str(info.annotation) else float
    optional = "None" in str(info.annotation)
    first = getattr(start, field)
    shape: dict[str, Any] = {
        "value": None if optional else "min",
        "step": 1 if kind is int else STEPS.get(field, 1.0),
        "format": None if kind is int else "%.5g",
    }
    value: float | int | None = st.number_input(
        words or label(field),
        **limits(field, kind, type(start)),
        **shape,
        key=begin(field, None if first is None else kind(first), prefix_of(start)),
        help=info.description,
        placeholder=EMPTY.get(field, "none") if optional else None,
        on_change=linked.touched,
    )
    return value


def limits(
    field: str, kind: type[int] | type[float], config: type[Config] = RunConfig
) -> dict[str, Any]:
    """Return the bounds of a field as a number widget takes them."""
    names = {"ge": "min_value", "gt": "min_value", "le": "max_value"}
    return {
        argument: kind(getattr(rule, bound))
        for rule in config.model_fields[field].metadata
        for bound, argument in names.items()
        if getattr(rule, bound, None) is not None
    }


def one_of(field: str, table: Mapping[str, Any], start: RunConfig) -> str:
    """One entry of a table, shown by its label."""
    chosen = st.segmented_control(
        label(field),
        list(table),
        required=True,
        format_func=lambda name: table[name].label,
        key=begin(field, getattr(start, field)),
        label_visibility="collapsed",
        on_change=linked.touched,
    )
    return chosen or getattr(start, field)


def switch(field: str, start: Config) -> bool:
    """Yes or no."""
    key = begin(field, getattr(start, field), prefix_of(start))
    info = type(start).model_fields[field]
    return st.toggle(label(field), key=key, help=info.description, on_change=linked.touched)


def perhaps(field: str, start: Config) -> bool | None:
    """Yes, no, or as the engine itself would have it."""
    words = {None: "Its own choice", True: "On", False: "Off"}
    info = type(start).model_fields[field]
    chosen: bool | None = st.selectbox(
        label(field), list(words), format_func=words.__getitem__, help=info.description,
        key=begin(field, getattr(start, field), prefix_of(start)), on_change=linked.touched,
    )  # fmt: skip
    return chosen


def word(field: str, start: Config) -> str:
    """One of the words that the field may be."""
    info = type(start).model_fields[field]
    chosen: str = st.selectbox(
        label(field), get_args(info.annotation), help=info.description,
        key=begin(field, getattr(start, field), prefix_of(start)), on_change=linked.touched,
    )  # fmt: skip
    return chosen


def text(field: str, start: Config, placeholder: str = "") -> str:
    """A line of text."""
    info = type(start).model_fields[field]
    return st.text_input(
        label(field), help=info.description, placeholder=placeholder,
        key=begin(field, getattr(start, field), prefix_of(start)), on_change=linked.touched,
    ).strip()  # fmt: skip
