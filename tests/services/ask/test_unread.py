"""A field that was given but has no effect is refused, in every mode and with every workload."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from services.ask import about, unread
from services.ask.config import Mode, RunConfig, Workload, parse
from services.ask.dialogue import Turn, to_prompt, to_session
from services.ask.modes import MODES, schedule
from services.ask.problems import InvalidConfig
from services.ask.workloads import max_tokens, prompt

TRACE = [(0.0, 20, 3), (0.5, 30, 4), (1.0, 40, 5), (1.5, 20, 6)]
OF_MODES = about.names(RunConfig, lambda known: any(name in MODES for name in known.read_by))
OF_WORKLOADS = about.names(
    RunConfig, lambda known: bool(known.read_by) and known.read_by[0] in get_args(Workload)
)
# A value of each field besides its default, and what it needs to have an effect.
OTHERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "requests": (11, {}),
    "max_tokens": (9, {}),
    "output_distribution": ("uniform", {}),
    "output_spread": (0.2, {"output_distribution": "uniform"}),
    "pause_s": (0.5, {}),
    "interval_s": (0.5, {}),
    "concurrency": (2, {}),
    "users": (3, {}),
    "think_s": (3.0, {}),
    "random_think": (True, {}),
    "ramp_up_s": (3.0, {}),
    "ramp_up_steps": (2, {"ramp_up_s": 3.0}),
    "rate": (3.0, {}),
    "end_rate": (3.0, {}),
    "rate_steps": (3, {}),
    "burstiness": (0.5, {}),
    "random_arrivals": (True, {}),
    "arrival_seed": (7, {"random_arrivals": True}),
    "trace": (TRACE[1:], {}),
    "trace_speed": (2.0, {}),
    "trace_from_s": (0.25, {}),
    "trace_to_s": (1.2, {}),
    "prompt": ("another text", {}),
    "prompts": (("one", "two"), {}),
    "prompt_max_tokens": ((5, 6, 7), {}),
    "input_tokens": (60, {}),
    "input_distribution": ("uniform", {}),
    "input_spread": (0.2, {"input_distribution": "uniform"}),
    "text_style": ("words", {}),
    "long_input_tokens": (900, {}),
    "long_every": (3, {}),
    "long_max_tokens": (77, {}),
    "turns": (2, {}),
    "turn_by_turn": (True, {}),
    "history": ("answered", {"turns": 2}),
    "turn_delay_s": (2.0, {"turns": 2}),
    "turn_delay_scale": (2.0, {}),
    "prefix_share": (0.4, {}),
    "prefix_count": (2, {"prefix_share": 0.4}),
    "prefix_system_tokens": (9, {"prefix_share": 0.4}),
}


USER, ANSWER = {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}
SESSION = to_session([Turn([USER]), *[Turn([ANSWER, USER], 1.5)] * 2])
MESSAGES = to_prompt([USER, ANSWER, USER])


def _values(mode: str, workload: str) -> dict[str, Any]:
    return {
        "mode": mode,
        "workload": workload,
        "requests": 12,
        "prompt": "a text",
        "prompts": (SESSION, MESSAGES, "c"),
        "trace": TRACE,
        "input_tokens": 50,
    }


def _sent(config: RunConfig) -> object:
    """What a run sends, and when."""
    answers = ["an answer"] * 2 if config.history == "answered" else None
    prompts = [prompt(config, 0, index, answers=answers) for index in range(8)]
    return prompts, list(map(max_tokens(config), range(8))), schedule(config)


def test_every_field_of_modes_and_workloads_is_tried() -> None:
    assert {*OF_MODES, *OF_WORKLOADS} <= OTHERS.keys()


@pytest.mark.parametrize("workload", get_args(Workload))
@pytest.mark.parametrize("mode", get_args(Mode))
def test_a_field_is_refused_exactly_if_nothing_changes_with_it(mode: str, workload: str) -> None:
    for name, (value, needs) in OTHERS.items():
        values = {**_values(mode, workload), **needs}
        before, after = parse(values), parse({**values, name: value})
        changes = _sent(before) != _sent(after)
        assert (unread.problems([name], [after]) == {}) == changes, (mode, workload, name)


def test_a_sentence_names_the_field_the_mode_and_what_reads_it() -> None:
    users = RunConfig(mode="users")
    assert unread.problems(["concurrency", "drain_s", "history", "trace_from_s"], [users]) == {
        "concurrency": "concurrency has no effect with mode users. It requires mode batch, "
        "constant, poisson, gamma, ramp, steps or replay.",
        "drain_s": "drain_s has no effect without duration_s.",
        "history": "history has no effect with workload builtin. It requires workload file or "
        "synthetic.",
        "trace_from_s": "trace_from_s has no effect with mode users and workload builtin. It "
        "requires mode replay, or workload trace.",
    }


def test_a_field_of_several_runs_must_be_read_by_one_of_them() -> None:
    both = [RunConfig(mode="sequential"), RunConfig(mode="batch")]
    unread.check(["pause_s", "concurrency"], both)
    with pytest.raises(InvalidConfig, match="rate has no effect with mode sequential or with mod"):
        unread.check(["rate"], both)


def test_defaults_and_empty_values_are_not_given() -> None:
    replay = parse({"trace": TRACE})
    everything = replay.model_dump(mode="json")
    assert unread.given(everything, [replay]) == ("mode", "trace", "workload")
    assert unread.given({"pause_s": 0, "requests": 7, "name": "x"}, [replay]) == (
        "pause_s",
        "requests",
    )


def test_a_trace_keeps_its_prompts_unless_others_are_given() -> None:
    answered = parse({"trace": TRACE, "history": "answered"})
    assert (answered.mode, answered.workload) == ("replay", "trace")
    assert "It requires workload file or synthetic" in str(unread.problems(["history"], [answered]))
    assert parse({"trace": TRACE, "input_tokens": 9}).workload == "synthetic"
    assert parse({"trace": TRACE, "prompt": "a"}).workload == "text"
