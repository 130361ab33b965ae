"""Every form, walked at random: nothing breaks, no control loses its value, and the plan is that of
what is shown. `PACELINE_WALKS=500` walks more of them than the usual."""

from __future__ import annotations

import os
from random import Random
from typing import Any

import pytest

from pages.widgets.candidates_form import KINDS, SERVERS
from pages.widgets.capacity_form import LOADS, METRICS, PERCENTILES
from pages.widgets.fields import CHOICES
from pages.widgets.run_form import CALIBRATE, DURATION, REQUESTS
from pages.widgets.trace_form import OWN
from services.analysis import candidates
from services.analysis.comparison_design import ComparisonDesign, InvalidComparison, check, sentence
from services.ask import workloads
from services.ask.backends import BACKENDS
from services.ask.backends.dialects import DIALECTS
from services.ask.config import RunConfig, parse
from services.ask.modes import MODES
from services.ask.plan import Plan, combined, interleaved, plan
from services.ask.problems import InvalidConfig
from services.ask.workloads import WORKLOADS
from services.ask.workloads.sample_traces import SAMPLES, sample
from services.base.packaged_model import MODEL_NAME
from services.servers.engines import ENGINES, EngineConfig
from services.studies.presets import PRESETS
from services.studies.study_link import preset_config
from tests.conftest import ReferenceServer
from tests.pages.conftest import Visit, complaints, link_of, text_of
from tests.pages.walker import Walk, widgets

WALKS = int(os.environ.get("PACELINE_WALKS", "24"))
STEPS = 12
SOURCES = {OWN: (), **{f"Sample: {name}": sample(name).rows for name in SAMPLES}}  # of a trace
NOBODY = "http://127.0.0.1:9/v1"
NOT_READY = (  # of a server that a run cannot be sent to
    "does not answer.",
    "[Show the server]",
)
RAW = (
    *BACKENDS,
    *MODES,
    *WORKLOADS,
    *ENGINES,
    *PRESETS,
    *KINDS,
    *candidates.SETTINGS,
    *DIALECTS,
    *SOURCES,
    *CHOICES,
    *METRICS,
    *PERCENTILES,
    *LOADS,
    REQUESTS,
    DURATION,
    "",
    None,
    True,
    False,
)


def of_run(key: str) -> tuple[str, ...]:
    """What may change with a control of a run's form."""
    if key == "run-preset":
        return ("run-ttft_limit_s", "run-tpot_limit_s", "run-e2e_limit_s")
    if key.endswith("-remove"):
        return (key.removesuffix("remove"),)
    known = {
        "run-mode": ("run-versus-mode", "run-versus-setting", "run-workload"),
        "run-workload": ("run-versus-setting",),
        "run-ends": ("run-requests", "run-duration_s"),
    }
    return known.get(key, ())


def of_study(key: str) -> tuple[str, ...]:
    """What may change with a control of a study's form."""
    return ("study-", "run-", "engine-engine") if key == "study-preset" else ()


def server_of(walk: Walk, whose: str = "") -> dict[str, Any]:
    """The backend, address and model that are shown."""
    name = walk.value(f"run-{whose}backend")
    models = [
        widget.value
        for widget in widgets(walk.at)
        if widget.key.startswith(f"run-{whose}model-{name}-")
    ]
    address = walk.value(f"run-{whose}base_url-{name}", "").strip() or None
    return {"backend": name, "base_url": address, "model": (models[0] or "").strip()}


def shown(walk: Walk) -> dict[str, Any]:
    """The fields of a run, as the controls show them."""
    there = {widget.key: widget.value for widget in widgets(walk.at)}
    found = {
        name: there[f"run-{name}"] for name in RunConfig.model_fields if f"run-{name}" in there
    }
    if "run-trace-source" in there:
        found["trace"] = SOURCES[there["run-trace-source"]]
    if "client" in found:
        found["client"] = "litellm" if found["client"] else "wire"
    return found | {"calibrate": CALIBRATE[found["calibrate"]]} | server_of(walk, cards(walk)[0])


def others(walk: Walk) -> list[dict[str, Any]]:
    """What the other candidates change, as the controls show it."""
    kind = walk.value("run-versus")
    if kind == SERVERS:
        return [server_of(walk, whose) for whose in cards(walk)[1:]]
    if kind == "itself":
        return [{}]
    if kind == "modes":
        return [
            {"mode": mode}
            | {name: walk.value(f"run-{mode}-{name}") for name in MODES[mode].parameters}
            for mode in walk.value("run-versus-mode")
        ]
    if kind == "settings":
        field = walk.value("run-versus-setting")
        return candidates.values_of(field, walk.value(f"run-versus-of-{field}"))
    raise AssertionError(kind)


def cards(walk: Walk) -> list[str]:
    """The beginnings of the keys of each server's widgets, the baseline's first."""
    keys = [widget.key for widget in walk.at.selectbox if (widget.key or "").endswith("backend")]
    return [key.removeprefix("run-").removesuffix("backend") for key in keys]


def sentence_of(walk: Walk) -> str:
    """How the plan of what is shown begins. Raises InvalidConfig, InvalidComparison."""
    if walk.value("run-versus") == SERVERS and len(cards(walk)) == 1:
        return beginning(plan(parse(shown(walk)), None))
    configs = candidates.candidates(shown(walk), others(walk))
    each, target = walk.value("run-comparison-each"), walk.value("run-comparison-target")
    most = each if target is None else walk.value("run-comparison-most")
    asked = ComparisonDesign(
        None, each, most, target and target / 100, walk.value("run-comparison-margin") / 100
    )
    check(asked, configs)
    turns = [interleaved(config, each) for config in configs]
    how = sentence(asked, len(configs), sum(map(workloads.warmup_count, turns)))
    return beginning(combined([plan(one, None) for one in turns], how))


def beginning(planned: Plan) -> str:
    """What the plan says whatever is known of its servers: in a time, users of a fast server send
    more requests."""
    if planned.requests_total:
        return planned.sentence.partition(" prompt token")[0]
    return planned.sentence.partition(" How many requests")[0].partition(",")[0].rstrip(".")


def is_planned(walk: Walk) -> bool:
    """The plan is of what is shown; where that cannot be asked for, or one of its servers
    cannot be reached or lacks something, it cannot be started."""
    (start,) = [button for button in walk.at.button if button.label == "Start"]
    try:
        wanted = sentence_of(walk)
    except (InvalidConfig, InvalidComparison):
        assert start.disabled, str(walk)
        assert walk.at.error or walk.at.info, walk.done
        return False
    assert wanted in text_of(walk.at), (str(walk), wanted)
    assert start.disabled == any(each in complaints(walk.at) for each in NOT_READY), str(walk)
    return True


@pytest.mark.long
@pytest.mark.parametrize("seed", range(WALKS))
def test_random_input_to_the_run_form_causes_no_error(
    visit: Visit, reference: ReferenceServer, seed: int
) -> None:
    random = Random(seed)
    kind = random.choice(list(KINDS))
    walk = Walk(
        visit("run"),
        random,
        RAW,
        {
            "run-base_url": (reference.base_url, NOBODY, "nonsense", ""),
            **{f"run-{n}-base_url": (reference.base_url, NOBODY, "") for n in range(2, 10)},
            "run-extra_body": ('{"min_tokens": 64}', "{", "[]", ""),
            "run-headers": ("X-Route: a", "nonsense", ""),
            "run-ca_file": ("", "/nowhere.pem"),
            "run-versus-of-": ("1, 2", "8", "8, x", "", "0.5", "a, b"),
            "about-": ("", "a, b", "<b>x</b>"),
        },
        of_run,
    )
    assert parse(shown(walk)) == RunConfig(model=MODEL_NAME)
    walk.at.segmented_control(key="run-versus").set_value(kind)
    chosen = walk.at.segmented_control(key="run-versus")
    walk.same["run-versus"] = walk.shown[chosen.proto.id] = [chosen.format_func(kind)]
    walk.at.run()
    walk.look()
    if kind != SERVERS:
        found = {
            name: walk.value(f"run-comparison-{name}") for name in ("each", "margin", "target")
        }
        assert found == {"each": 5, "margin": 5.0, "target": None}
    for _ in range(STEPS):
        walk.step()
        is_planned(walk)
    if is_planned(walk) and walk.value("run-workload") not in ("text", "file", "trace"):
        again = visit("run", **link_of(walk.at))
        assert sentence_of(walk) in text_of(again), (str(walk), link_of(walk.at), text_of(again))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(WALKS // 2))
def test_random_input_to_the_study_form_causes_no_error(
    visit: Visit, reference: ReferenceServer, seed: int
) -> None:
    random = Random(seed)
    preset = random.choice(list(PRESETS))
    walk = Walk(
        visit("study", preset=preset),
        random,
        RAW,
        {
            "run-base_url": (reference.base_url, NOBODY, ""),
            "study-parallel": ("TP=1", "TP=1; TP=2", "TP=0", "x", ""),
            "study-": ("", "1, 8", "4", "x", "4, 16"),
            "engine-model": ("", "a/b"),
        },
        of_study,
    )
    begins = preset_config(preset)
    for name in EngineConfig.model_fields if begins.engine else ():
        first = walk.value(f"engine-{name}", getattr(begins.engine, name))
        assert first == getattr(begins.engine, name) or first == "", name
    for name in ("max_tokens", "repeats", "warmup", "ignore_eos"):
        if name != "repeats" or not begins.search:  # a probe is measured once
            assert walk.value(f"run-{name}") == getattr(begins.run, name)
    for _ in range(STEPS):
        walk.step()
        (start,) = [b for b in walk.at.button if b.label == "Start study"]
        assert start.disabled or not walk.trouble, str(walk)
    if not walk.trouble:
        again = Walk(visit("study", **link_of(walk.at)), random, RAW, {}, of_study)
        now = {widget.key: widget.value for widget in widgets(again.at)}
        before = {widget.key: widget.value for widget in widgets(walk.at)}
        written_out = ("about", "study-parallel")  # TP=2 is TP=2 PP=1 DP=1 in a link
        unlike = {
            key for key in now if now[key] != before.get(key) and not key.startswith(written_out)
        }
        assert not unlike, (str(walk), unlike, link_of(walk.at))


@pytest.mark.parametrize("seed", range(WALKS // 4))
def test_random_input_to_the_capacity_form_causes_no_error(
    visit: Visit, reference: ReferenceServer, seed: int
) -> None:
    random = Random(seed)
    walk = Walk(
        visit("capacity"),
        random,
        RAW,
        {
            "run-base_url": (reference.base_url, NOBODY, "nonsense", ""),
            **{f"run-{letter}-base_url": (reference.base_url, NOBODY, "") for letter in "bcdefgh"},
            "c-more": ("", "tpot:p50<0.05", "ttft:p95<0.2, e2e:p99<10", "nonsense"),
        },
        lambda key: (),
    )
    for _ in range(STEPS):
        walk.step()
        (start,) = [b for b in walk.at.button if b.label == "Start search"]
        assert start.disabled or not walk.trouble, str(walk)
    if not walk.trouble:
        again = Walk(visit("capacity", **link_of(walk.at)), random, RAW, {}, lambda key: ())
        now = {widget.key: widget.value for widget in widgets(again.at)}
        before = {widget.key: widget.value for widget in widgets(walk.at)}
        unlike = {key for key in now if now[key] != before.get(key)}
        assert not unlike, (str(walk), unlike, link_of(walk.at))


@pytest.mark.parametrize("seed", range(WALKS // 4))
def test_random_input_to_the_engine_form_causes_no_error(visit: Visit, seed: int) -> None:
    walk = Walk(visit("engines"), Random(seed), RAW, {"engine-model": ("", "a/b")}, lambda key: ())
    for _ in range(STEPS):
        walk.step()
        (start,) = [b for b in walk.at.button if b.label == "Start engine"]
        assert start.disabled or not walk.trouble, str(walk)
