"""One field of a run or of an engine as a widget: its label, its limits and its help come from
RunConfig or EngineConfig."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_args

import streamlit as st

from pages.widgets import url_state
from pages.widgets.view import plain
from services.ask.config import LONG_EVERY, LONG_TIMES, InvalidConfig, RunConfig, made
from services.servers.engines import EngineConfig
from services.studies.study_config import StudyConfig

PREFIX = "run-"
ENGINE = "engine-"
STUDY = "study-"
Config = RunConfig | EngineConfig | StudyConfig
PREFIXES = {RunConfig: PREFIX, EngineConfig: ENGINE, StudyConfig: STUDY}  # of the widgets' keys

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
    "omit": "Leave out",
    "max_tokens_field": "Name of the token limit",
    "extra_body": "Further fields (JSON)",
    "headers": "Further headers",
    "ca_file": "File of certificates (PEM)",
    "insecure_tls": "Accept any certificate",
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
    "processes": "auto",
    "concurrency": "all",
    "long_input_tokens": f"{LONG_TIMES} times a short one",
    "long_every": str(LONG_EVERY),
    "long_max_tokens": "as all",
    "temperature": "default",
    "top_p": "not sent",
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


def keyed(
    key: str, first: Any, on_change: Callable[[], None] = url_state.touched
) -> dict[str, Any]:
    """Give a widget of a run's form its first value; return what it is made with."""
    return url_state.keyed(PREFIX + key, first, on_change)


def of_field(field: str, start: Config, whose: str = "") -> dict[str, Any]:
    """Return what the widget of a config's field is made with, help included."""
    prefix = PREFIXES[type(start)]
    info = type(start).model_fields[field]
    return {"help": info.description} | url_state.keyed(
        prefix + whose + field, getattr(start, field)
    )


def number(
    field: str, start: Config, words: str | None = None, whose: str = ""
) -> float | int | None:
    """A number; None where it may be left empty, and is. `words`: what it is called here, where
    that is not its label. `whose`: the candidate that it is of, where that is not the reference.

    The field's limits are looked at here and not by the widget, which would keep what it had, and
    show what was typed.
    """
    info = type(start).model_fields[field]
    kind: type[int] | type[float] = int if "int" in str(info.annotation) else float
    optional = "None" in str(info.annotation)
    if (first := getattr(start, field)) is not None:
        start = start.model_copy(update={field: kind(first)})
    with st.container(gap="xxsmall"):
        value: float | int | None = st.number_input(
            words or label(field),
            value=None if optional else "min",
            step=1 if kind is int else STEPS.get(field, 1.0),
            format=None if kind is int else "%.5g",
            placeholder=EMPTY.get(field, "none") if optional else None,
            **of_field(field, start, whose),
        )
        wrong(problem(type(start), field, value))
    return value


def whole(words: str, first: int, least: int, most: int, key: str) -> int | None:
    """A whole number that is of no config; None, and said there, where it is beyond its limits."""
    with st.container(gap="xxsmall"):
        value = int(st.number_input(words, step=1, **url_state.unlinked(key, first)))
        if least <= value <= most:
            return value
        wrong(f"It must be from {least} to {most}.")
    return None


def problem(config: type[Config], field: str, value: Any) -> str:
    """Return what is wrong with a field's value, whatever the others have; "" where nothing is."""
    try:
        made(
            config, {"workload": "builtin", field: value} if config is RunConfig else {field: value}
        )
    except InvalidConfig as error:
        return error.problems.get(field, "")
    return ""


def refuse(problems: Iterable[str]) -> None:
    """Say what is wrong with what a form asks for, a sentence each: it cannot be started."""
    for sentence in problems:
        st.error(plain(in_words(sentence)), icon=":material/error:")


def wrong(sentence: str) -> None:
    """Say at a field what is wrong with it, if anything is."""
    if sentence:
        st.caption(f":red[{plain(in_words(sentence))}]")


def one_of(field: str, table: Mapping[str, Any], start: RunConfig) -> str:
    """One entry of a table, shown by its label."""
    chosen: str | None = st.segmented_control(
        label(field),
        list(table),
        required=True,
        wrap=True,
        format_func=lambda name: table[name].label,
        label_visibility="collapsed",
        **keyed(field, getattr(start, field)),
    )
    return chosen or getattr(start, field)


def switch(field: str, start: Config) -> bool:
    """Yes or no."""
    return st.toggle(label(field), **of_field(field, start))


def perhaps(field: str, start: Config) -> bool | None:
    """Yes, no, or as the engine itself would have it."""
    words = {None: "Its own choice", True: "On", False: "Off"}
    chosen: bool | None = st.selectbox(
        label(field), list(words), format_func=words.__getitem__, **of_field(field, start)
    )
    return chosen


def word(field: str, start: Config) -> str:
    """One of the words that the field may be."""
    info = type(start).model_fields[field]
    chosen: str = st.selectbox(label(field), get_args(info.annotation), **of_field(field, start))
    return chosen


def text(field: str, start: Config, placeholder: str = "") -> str:
    """A line of text."""
    found: str | None = st.text_input(
        label(field), placeholder=placeholder, **of_field(field, start)
    )
    return (found or "").strip()
