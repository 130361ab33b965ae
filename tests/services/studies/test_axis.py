"""Axes of a study that vary any field of its engines and runs, and flags."""

from __future__ import annotations

from itertools import product

import pytest

from services.ask.problems import InvalidConfig
from services.studies.axis import parse_axis
from services.studies.configuration import engine_labels
from services.studies.grid import cells, engines, loads
from services.studies.kind import kind_of
from services.studies.study_config import StudyConfig
from services.studies.study_link import query, read

VLLM = {"preset": "custom", "engine": "vllm", "batches": "2"}


def study(axes: str, **texts: str) -> StudyConfig:
    return read({**VLLM, **texts, "axes": axes})


def test_engine_fields_flags_and_run_fields_are_combined() -> None:
    asked = study("max_seqs=1,2; flag:--swap-space=on,off,4; max_tokens=8,16")
    found = {(e.max_seqs, e.extra) for e in engines(asked) if e}
    assert found == set(product((1, 2), ("--swap-space", "", "--swap-space 4")))
    assert [run.max_tokens for run in loads(asked)] == [8, 16]
    assert len(cells(asked)) == 12


def test_a_flag_joins_the_further_arguments_and_its_value_stays_one_word() -> None:
    (engine,) = engines(study("flag:--note=a b", extra="--seed 1"))
    assert engine is not None
    assert engine.extra_arguments == ["--seed", "1", "--note", "a b"]


def test_default_means_the_engines_own_value() -> None:
    values = [engine.max_seqs for engine in engines(study("max_seqs=default,4")) if engine]
    assert values == [None, 4]
    assert [run.max_tokens for run in loads(study("max_tokens=default,4"))][1] == 4


def test_a_study_of_an_existing_server_can_vary_answer_lengths() -> None:
    asked = read({"preset": "concurrency", "engine": "", "axes": "max_tokens=8,16"})
    assert len(cells(asked)) == 10


def test_a_link_contains_axes() -> None:
    asked = study("max_seqs=1,2; max_tokens=8,16")
    assert query(asked)["axes"] == "max_seqs=1,2; max_tokens=8,16"
    assert read(query(asked)) == asked


def test_a_study_is_named_after_its_engines_which_have_distinct_labels() -> None:
    asked = study("max_seqs=1,2; flag:--x=on,off")
    assert kind_of(asked).label == "Max sequences × --x"
    assert list(engine_labels(engines(asked)).values()) == [
        "vLLM · TP 1 · max seqs 1 · --x",
        "vLLM · TP 1 · max seqs 1 · no extra arguments",
        "vLLM · TP 1 · max seqs 2 · --x",
        "vLLM · TP 1 · max seqs 2 · no extra arguments",
    ]


@pytest.mark.parametrize(
    ("axes", "said"),
    [
        ("max_num_seqs=3", "axes cannot vary 'max_num_seqs': choose a field of the engine"),
        ("max_seqs", "axes must be NAME=VALUE,VALUE"),
        ("max_seqs=" + ",".join(map(str, range(60))), "at most 50 values"),
        ("tp=1,2", "axes cannot vary tp: use parallel"),
        ("input_tokens=1,2", "use input_lengths"),
        ("max_seqs=a", "axes max_seqs must be a whole number"),
        ("max_tokens=-1", "axes max_tokens must be at least 1"),
        ("prompt=a,b", "axes cannot vary 'prompt'"),
        ("flag:seed=1", "must name a flag of the engine"),
        ("max_seqs=1; max_seqs=2", "axes must vary max_seqs once"),
        ("rate=1,2", "axes cannot vary rate: it has no effect if the mode is batch"),
    ],
)
def test_what_cannot_be_varied_is_reported(axes: str, said: str) -> None:
    with pytest.raises(InvalidConfig, match=said) as refused:
        loads(study(axes))
    assert list(refused.value.problems) == ["axes"]


@pytest.mark.parametrize("axes", ["flag:--hf-token=hf_abcdefghijkl", "flag:--api-key=topsecret"])
def test_a_key_is_refused_and_not_repeated(axes: str) -> None:
    with pytest.raises(InvalidConfig, match="must not contain a key") as refused:
        study(axes)
    assert axes.partition("=")[2] not in str(refused.value)


def test_an_existing_server_cannot_be_started_in_another_way() -> None:
    with pytest.raises(InvalidConfig, match="engine is missing"):
        read({"preset": "concurrency", "engine": "", "axes": "max_seqs=1"})


def test_an_axis_has_the_label_of_its_field() -> None:
    assert parse_axis("max_seqs=1").label == "max sequences"
