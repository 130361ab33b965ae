"""Scenarios: every field of a config is read as it was written, and what is wrong has a line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from services.analysis.comparison_design import ComparisonDesign
from services.ask import about, saved_server
from services.ask.backends import BackendProblem
from services.ask.config import RunConfig, parse, stored
from services.ask.problems import InvalidConfig, validate
from services.ask.workloads.promptfile import read_file
from services.report import scenario as scenarios
from services.report.export import content_hash
from services.report.scenario import (
    CapacityScenario,
    ComparisonScenario,
    InvalidScenario,
    Keys,
    Reading,
    RunKeys,
    RunScenario,
    Scenario,
    StudyScenario,
    keys_of,
    scenario_of,
    shape,
    write,
)
from services.report.scenario.keys import KNOWN, ComparisonKeys
from services.servers.engines import EngineConfig
from services.studies.capacity_config import CapacityConfig
from services.studies.presets import PRESETS
from services.studies.study_config import StudyCapacity, StudyConfig, parse_study
from services.studies.study_link import preset_config
from tests.conftest import ROOT
from tests.values import candidate, measured

TALK = read_file(
    b'{"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "?"}]}',
    "a.jsonl",
).prompts
TRIED: tuple[Any, ...] = (  # for each field, the first that it accepts and that is not its default
    *(True, False, 3, 700, 1, 0.5, "text", ["text", "two"], {"a": "b"}, {"min_tokens": 4}),
    *("vllm", "http://127.0.0.1:9/v1", "PROD_API_KEY", "max_tokens", "1: 2\nthree"),
    (*TALK, "plain", "- a\n- b\n"),
    *(["max_tokens=8,16"], [1, 8], [[2, 1, 1], [2, 2, 1]], [True], "ray://127.0.0.1:10001"),
)


def read(text: str | bytes, **around: Any) -> Scenario:
    data = text.encode() if isinstance(text, str) else text
    return scenario_of(scenarios.read(data, "a.yaml"), Reading(**around))


def sentences(text: str, **around: Any) -> list[str]:
    with pytest.raises(InvalidScenario) as error:
        read(f"version: 1\n{text}", **around)
    return str(error.value).splitlines()


def run_scenario(config: RunConfig, **called: Any) -> RunScenario:
    return RunScenario(config, RunKeys(version=1, **called))


def others_of(kind: type[RunConfig | EngineConfig | StudyConfig], name: str) -> Iterator[Any]:
    """The values of TRIED, and the words of the field, that the field may have."""
    words = re.findall(r"'(\w+)'", str(kind.model_fields[name].annotation))
    given = {RunConfig: {"workload": "builtin"}, StudyConfig: {"engine": {}}}.get(kind, {})
    for value in (*words, *TRIED):
        try:
            config = validate(kind, {**given, name: value})
        except (InvalidConfig, ValueError):
            continue
        if getattr(config, name) != kind.model_fields[name].default:
            yield getattr(config, name)


def an_other(kind: Any, name: str) -> Any:
    values = list(others_of(kind, name))
    needs_more = {"workload": "synthetic"}  # what only makes sense with another field
    value = needs_more.get(name) or next(iter(values), None)
    assert value is not None, f"add a value of {name} to TRIED"
    return value


OTHERS = {name: an_other(RunConfig, name) for name in RunConfig.model_fields}


def test_a_default_run_is_an_almost_empty_file() -> None:
    data = write(run_scenario(RunConfig()))
    assert data == b"# Start it with: paceline run FILE\nversion: 1\n"
    assert read(data) == run_scenario(RunConfig())


@pytest.mark.parametrize("name", OTHERS)
def test_every_field_of_a_run_is_read_as_it_was_written(name: str) -> None:
    scenario = run_scenario(parse({"workload": "builtin", name: OTHERS[name]}))
    data = write(scenario, own_prompts=True)
    assert read(data) == scenario
    assert write(read(data), own_prompts=True) == data
    assert re.search(
        rf"^'?{name}'?:( |$)", data.decode(), re.MULTILINE
    )  # 'on' is a bool in YAML 1.1


@given(st.sets(st.sampled_from(sorted(OTHERS)), max_size=8))
def test_fields_together_are_read_as_they_were_written(names: set[str]) -> None:
    try:
        config = parse({"workload": "builtin", **{name: OTHERS[name] for name in names}})
    except InvalidConfig:
        return
    scenario = run_scenario(config, name="1e3", tags=("on", "a b"), note="One.\nTwo: 2\n")
    data = write(scenario, own_prompts=True)
    assert read(data) == scenario
    assert write(read(data), own_prompts=True) == data


@given(st.lists(st.sets(st.sampled_from(sorted(OTHERS)), max_size=4), min_size=2, max_size=8))
def test_candidates_are_read_as_they_were_written(sets: list[set[str]]) -> None:
    try:
        configs = [
            parse({"workload": "builtin", **{n: OTHERS[n] for n in names}, "repeats": 4})
            for names in sets
        ]
    except InvalidConfig:
        return
    design = ComparisonDesign(7, 4, 30, 0.03, 0.02)
    scenario = ComparisonScenario(tuple(configs), (), design, keys_of(design, tags=("a",)))
    again = read(write(scenario, own_prompts=True))
    assert isinstance(again, ComparisonScenario)
    assert replace(again, changes=()) == scenario


@pytest.mark.parametrize("preset", PRESETS)
def test_a_study_of_a_preset_has_at_most_five_lines(preset: str) -> None:
    scenario = StudyScenario(preset_config(preset), Keys(version=1))
    assert len(write(scenario).splitlines()) <= 5
    assert read(write(scenario)) == scenario


OF_LOADS = ("batches", "concurrencies")  # which a search for capacities sets
OF_A_STUDY = [
    (preset, name)
    for name in StudyConfig.model_fields
    for preset, known in PRESETS.items()
    if name != "preset" and not (name in OF_LOADS if known.capacity else name == "search")
]


@pytest.mark.parametrize(("preset", "name"), OF_A_STUDY)
def test_every_field_of_a_study_is_read_as_it_was_written(preset: str, name: str) -> None:
    start = preset_config(preset, EngineConfig(engine="sglang"))
    value = {
        "engine": EngineConfig.model_validate(
            {n: an_other(EngineConfig, n) for n in EngineConfig.model_fields if n[1:] != "p"}
        ),
        "run": RunConfig(workload="file", prompts=TALK, max_tokens=7),
        "search": StudyCapacity(starts=4, objectives=("tpot:p50<0.05",)),
    }.get(name)
    value = value if value is not None else an_other(StudyConfig, name)
    scenario = StudyScenario(start.model_copy(update={name: value}), Keys(version=1, name="a"))
    scenario = replace(scenario, config=parse_study(scenario.config.model_dump()))
    assert read(write(scenario, own_prompts=True)) == scenario


@given(st.sampled_from(sorted(PRESETS)), st.sets(st.sampled_from(sorted(OTHERS)), max_size=5))
def test_the_run_of_a_study_is_read_as_it_was_written(preset: str, names: set[str]) -> None:
    start = preset_config(preset)
    try:
        run = parse({"workload": "builtin", **{name: OTHERS[name] for name in names}})
    except InvalidConfig:
        return
    scenario = StudyScenario(start.model_copy(update={"run": run}), Keys(version=1))
    assert read(write(scenario, own_prompts=True)) == scenario


def test_a_study_of_an_existing_server_has_no_engine() -> None:
    study = parse_study({"preset": "tensor", "run": {"backend": "url"}, "batches": [1]})
    scenario = StudyScenario(study, Keys(version=1))
    assert b"engine: null" in write(scenario)
    assert read(write(scenario)) == scenario


def test_a_stored_run_that_is_started_again_has_the_same_hash() -> None:
    config = parse({"mode": "batch", "concurrency": 2, "prompts": list(TALK), "seed": 3})
    first = candidate([measured()])
    first = replace(first, run=replace(first.run, config=config))
    again = read(write(run_scenario(config), own_prompts=True))
    assert isinstance(again, RunScenario)
    second = replace(first, run=replace(first.run, config=again.config))
    assert content_hash(second) == content_hash(first)


# what stays private


def test_a_prompt_in_a_scenario_can_limit_its_answer() -> None:
    text = b"version: 1\nprompts:\n  - {prompt: Who?, output_tokens: 5}\n  - Where?\n"
    scenario = read(text)
    assert scenario.config.prompts == ("Who?", "Where?")
    assert scenario.config.prompt_max_tokens == (5, 0)
    assert read(write(scenario, own_prompts=True)) == scenario
    assert b"prompt_max_tokens" not in write(scenario, own_prompts=False)


def test_prompts_of_one_session_are_joined_as_in_a_file() -> None:
    entries = [
        {"session_id": "a", "text": "one", "max_tokens": 3},
        "alone",
        {"session_id": "a", "text": "two", "delay": 1500},
    ]
    document = scenarios.document_of({"version": 1, "prompts": entries, "history": "answered"})
    scenario = scenario_of(document, Reading())
    assert isinstance(scenario, RunScenario)
    read = read_file("\n".join(map(json.dumps, entries)).encode(), "a.jsonl")
    assert scenario.config.prompts == read.prompts and len(read.prompts) == 2
    assert scenario.config.prompt_max_tokens == read.max_tokens == (3, 0)
    entries[2] |= {"delay": "soon"}  # type: ignore[operator]
    with pytest.raises(InvalidScenario, match='entry 3 of prompts: The prompt has a "delay"'):
        scenario_of(document, Reading())


def test_own_prompts_are_left_out_unless_wanted_and_the_file_says_so() -> None:
    config = parse({"prompts": ["Who?", "Where?"]})
    data = write(run_scenario(config))
    assert b"Who?" not in data
    assert b"# Left out: 2 prompts of your own. Add prompts, or a prompts_file beside" in data
    assert sentences(data.decode().partition("version: 1\n")[2]) == [
        "a.yaml: prompts are missing. Give a JSONL or CSV file with prompts."
    ]
    assert read(data, needs_prompts=False) == run_scenario(
        config.model_copy(update={"prompts": ()})
    )
    assert read(data, over={"prompts": ("Who?", "Where?")}) == run_scenario(config)


@pytest.mark.parametrize("name", about.names(RunConfig, lambda known: known.may_hold_key))
def test_what_may_hold_a_key_is_never_written(name: str) -> None:
    secret = "sk-abcdef1234567890"
    values = {
        "base_url": f"http://u:{secret}@host/v1",
        "extra_body": {"api_key": secret},
        "headers": {"Authorization": f"Bearer {secret}"},
    }
    old = stored({}).model_copy(update={name: values[name]})  # from before it was refused
    data = write(run_scenario(old), own_prompts=True).decode()
    assert secret not in data
    assert f"# Left out: {name}, which may hold a key." in data
    given = f"{name}: {values[name]}"
    assert all(secret not in sentence for sentence in sentences(given))


# what is wrong

WRONG = {
    "max_tokens: 0": "a.yaml, line 2: max_tokens must be at least 1 (got 0).",
    "model: 12": "a.yaml, line 2: model must be text: put it in quotes.",
    "name: 2026": "a.yaml, line 2: name must be text: put it in quotes.",
    "tags: a": "a.yaml, line 2: tags must be a list.",
    "max-tokens: 3": "a.yaml, line 2: max-tokens is not a key of a run. Did you mean max_tokens?",
    "timeout: 3": "a.yaml, line 2: timeout is not a key of a run. Did you mean timeout_s?",
    "header: {}": "a.yaml, line 2: header is not a key of a run. Did you mean headers?",
    "zzz: 3": "a.yaml, line 2: zzz is not a key of a run. docs/scenarios.md lists the keys.",
    "sk-abcdef1234567890: 3": "a.yaml, line 2: This is not a key of a run. "
    "docs/scenarios.md lists the keys.",
    "fail_if: [slower]": "a.yaml, line 2: fail_if is not a key of a run. It belongs to a "
    "comparison, which has the key compare.",
    "batches: [1]": "a.yaml, line 2: batches is not a key of a run. It belongs to a study, which "
    "has the key preset.",
    "prompt: a\ninput_tokens: 3": "a.yaml: workload is ambiguous. Give prompt or input_tokens, "
    "not both.",
    "backend: http://u:p@host/v1": "a.yaml, line 2: backend is a name. Write `backend: url`, and "
    "the address as base_url.",
    "slo: [fast]": "a.yaml, line 2: slo “fast” is not a condition. Put it in quotes, because a "
    "shell interprets < and >: 'ttft:p95<0.5', 'error_rate<0.01'.",
    "prompts:\n  - {say: hi}": "a.yaml, line 3: The prompt has no field",
    "compare: 3": "a.yaml, line 2: compare must be a list of what the other candidates change, "
    "such as `- concurrency: 8`.",
    "compare: []": "a.yaml, line 2: A comparison takes 2 to 8 candidates, not 1.",
    "compare:\n  - 3": "a.yaml, line 3: Each entry must be keys and values, such as "
    "`requests: 16`.",
    "compare:\n  - modes: batch": "a.yaml, line 3: modes is not a key of a run. Did you mean mode?",
    "compare:\n  - mode: batch\n    requests: 0": "a.yaml, line 4: requests must be at least 1 "
    "(got 0).",
    "compare:\n  - repeats: 2": (
        "a.yaml, line 3: repeats are the same for all candidates: write them next to compare."
    ),
    "compare:\n  - {}\nfail_if: [slow]": "a.yaml, line 4: fail_if (entry 1) must be one of",
    "compare:\n  - {}\nmeasure: speed": "a.yaml, line 4: measure must be one of",
    "compare:\n  - {}\nmargin: 5": "a.yaml, line 4: margin must be at most 1 (got 5).",
    "compare:\n  - {}\nmost: 2": (
        "a.yaml, line 2: Each candidate is measured 5 times, and the maximum cannot be fewer (got "
        "at most 2)."
    ),
    "compare:\n  - {}\npreset: tensor": "a.yaml, line 4: compare makes it a comparison and preset "
    "a study. Keep one of them.",
    "preset: tensors": "a.yaml, line 2: preset must be one of tensor, pipeline,",
    "preset: tensor\nrequests: 3": "a.yaml, line 3: requests is not a key of a study. Write it "
    "under run.",
    "preset: tensor\nmax_seqs: 3": "a.yaml, line 3: max_seqs is not a key of a study. Write it "
    "under engine.",
    "preset: tensor\nengine:\n  max_seqs: 0": "a.yaml, line 4: max_seqs must be at least 1 "
    "(got 0).",
    "preset: tensor\nengine:\n  engine: tgi": "a.yaml, line 4: engine must be one of",
    "preset: tensor\nengine: vllm": "a.yaml, line 3: engine must be keys and values",
    "preset: tensor\nrun:\n  max_tokens: 0": "a.yaml, line 4: max_tokens must be at least 1 "
    "(got 0).",
    "preset: tensor\nbatches: 3": "a.yaml, line 3: batches must be a list.",
    "prompts_file: ../a.jsonl": "a.yaml, line 2: prompts_file must be the path of a file that is "
    "in the folder of the scenario or below it, such as prompts.jsonl.",
    "prompts_file: a.jsonl": "a.yaml, line 2: prompts_file can only be read on the command line. "
    "Write the prompts into the scenario, as a list `prompts`.",
    "prompts_file: a.jsonl\nprompts: [a]": (
        "a.yaml, line 2: prompts_file and prompts cannot be combined. Keep one."
    ),
}


@pytest.mark.parametrize(("text", "sentence"), WRONG.items())
def test_an_error_names_its_line(text: str, sentence: str) -> None:
    (said,) = sentences(text)
    assert said.startswith(sentence) and said.endswith((".", "?"))


def test_several_problems_are_reported_at_once() -> None:
    assert sentences("max_tokens: 0\nrequests: none\n") == [
        "a.yaml, line 3: requests must be a whole number (got 'none').",
        "a.yaml, line 2: max_tokens must be at least 1 (got 0).",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("mode: batch", "a.yaml: version is missing. Begin the file with `version: 1`."),
        ("version: 2", "a.yaml, line 1: version must be 1, the only one that this Paceline reads."),
        ("version: true", "a.yaml, line 1: version must be 1"),
    ],
)
def test_another_version_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(InvalidScenario, match=re.escape(sentence)):
        read(text)


# what is around it


@pytest.mark.parametrize("name", ["/etc/passwd", "C:\\a.txt", "\\\\host\\a.txt", "a/../../b", ""])
def test_a_prompts_file_outside_the_folder_of_the_scenario_is_refused(name: str) -> None:
    def read_file(path: str) -> bytes:
        raise AssertionError(path)

    (said,) = sentences(f"prompts_file: '{name}'", read=read_file)
    assert "in the folder of the scenario or below it" in said


def test_a_file_of_prompts_is_read_beside_the_scenario() -> None:
    files = {"more/a.txt": b"Who?\nWhere?\n", "a.csv": b"x,y\n1,2\n"}

    def read_file(path: str) -> bytes:
        if path not in files:
            raise FileNotFoundError(2, "No such file or directory")
        return files[path]

    scenario = read("version: 1\nprompts_file: more/a.txt\n", read=read_file)
    assert scenario == run_scenario(parse({"prompts": ["Who?", "Where?"]}))
    assert sentences("prompts_file: b.txt", read=read_file) == [
        "a.yaml, line 2: prompts_file cannot be read: No such file or directory. Its path is "
        "relative to the scenario's folder."
    ]
    (said,) = sentences("prompts_file: a.csv", read=read_file)
    assert said.startswith('a.yaml, line 2: a.csv, line 1: has no column named "prompt"')


def test_a_saved_server_is_named_as_the_backend() -> None:
    server = saved_server.saved_server(
        "lab", {"backend": "url", "base_url": "http://127.0.0.1:9/v1", "model": "m"}
    )

    def expand(values: Any) -> dict[str, Any]:
        if values.get("backend") == "nope":
            raise BackendProblem("There is no backend 'nope'.")
        return saved_server.expand(values, server) if "backend" in values else dict(values)

    scenario = read("version: 1\ncompare:\n  - backend: lab\n    max_tokens: 3\n", expand=expand)
    assert isinstance(scenario, ComparisonScenario)
    assert scenario.configs[1].base_url == "http://127.0.0.1:9/v1"
    assert (scenario.configs[1].model, scenario.configs[1].max_tokens) == ("m", 3)
    assert sentences("backend: nope", expand=expand) == [
        "a.yaml, line 2: There is no backend 'nope'."
    ]


OVER = {
    ("backend: url\nbase_url: http://127.0.0.1:9/v1\nmodel: m", "backend", "vllm"): {"model": "m"},
    ("prompt: Hi", "input_tokens", 64): {"workload": "synthetic"},
    ("input_tokens: 64", "workload", "mixed"): {"input_tokens": 512},
    ("input_tokens: 64\nlong_every: 3", "input_tokens", 32): {"workload": "mixed", "long_every": 3},
    ("mode: batch\nconcurrency: 8", "concurrency", 4): {"mode": "batch"},
}


@pytest.mark.parametrize(("given", "expected"), OVER.items())
def test_the_command_line_overrides_the_file(
    given: tuple[str, str, Any], expected: dict[str, Any]
) -> None:
    text, name, value = given
    scenario = read(f"version: 1\n{text}\n", over={name: value})
    assert scenario == run_scenario(parse({"workload": "builtin", **expected, name: value}))


def test_an_error_on_the_command_line_does_not_name_the_file() -> None:
    with pytest.raises(InvalidConfig) as error:
        read("version: 1\nmax_tokens: 3\n", over={"max_tokens": 0})
    assert error.value.problems == {"max_tokens": "max_tokens must be at least 1 (got 0)."}


def test_the_committed_schema_is_current() -> None:
    assert (ROOT / "docs" / "schema" / shape.NAME).read_text() == shape.schema_text(), (
        "Write it anew: python -m services.report.scenario.shape docs/schema"
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_every_field_that_is_written_is_what_the_schema_says(name: str) -> None:
    data = write(run_scenario(parse({"workload": "builtin", name: OTHERS[name]})), True)
    values = dict(scenarios.read(data, "a.yaml").values)
    version, valid = values.pop("version"), Draft7Validator(shape.schema())
    valid.validate({"version": version, **values})
    assert not valid.is_valid({"version": version, **values, "max-tokens": 3})
    candidate_values = {key: value for key, value in values.items() if key != "repeats"}
    valid.validate({"version": version, "compare": [{}, None, candidate_values]})
    valid.validate({"version": version, "preset": "tensor", "run": values})
    assert not valid.is_valid({"version": version, "preset": "tensor", **values})


def test_no_key_has_two_meanings() -> None:
    configs = {*RunConfig.model_fields, *StudyConfig.model_fields}
    assert not configs & {*RunKeys.model_fields, *ComparisonKeys.model_fields}
    assert all(len(set(known)) == len(known) for known in KNOWN.values())


SEARCH = """capacity:
  objectives: [ttft:p95<0.5, "error_rate<0.01"]
  load: users
  window_s: 30
max_tokens: 64
"""


def test_a_capacity_search_is_read_and_written() -> None:
    text = f"version: 1\nname: How many?\n{SEARCH}compare:\n  - max_tokens: 7\n"
    scenario = read(text)
    assert isinstance(scenario, CapacityScenario)
    assert [one.max_tokens for one in scenario.config.servers] == [64, 7]
    assert (scenario.config.load, scenario.config.window_s) == ("users", 30.0)
    assert scenario.keys.name == "How many?"
    data = write(scenario)
    assert data.startswith(b"# Start it with: paceline capacity FILE\n") and read(data) == scenario


def test_what_each_probe_sets_is_not_written() -> None:
    config = CapacityConfig(servers=(parse({"mode": "batch", "requests": 3}),))
    data = write(CapacityScenario(config, Keys(version=1)))
    assert read(data) == CapacityScenario(CapacityConfig(), Keys(version=1))


def test_a_stored_run_with_a_number_and_a_duration_can_be_read_again() -> None:
    """As the probes of a search are, whose server had a number of requests."""
    usual = RunConfig().model_dump(mode="json")
    both = stored({**usual, "mode": "users", "requests": 64, "duration_s": 30})
    written = read(write(RunScenario(both, RunKeys(version=1))))
    assert isinstance(written, RunScenario)
    assert written.config == parse({"mode": "users", "duration_s": 30})


def test_servers_of_two_backends_may_have_the_same_address() -> None:
    first = parse({"backend": "url", "base_url": "http://h:1/v1"})
    other = parse({"backend": "vllm", "base_url": "http://h:1/v1"})
    search = CapacityScenario(CapacityConfig(servers=(first, other)), Keys(version=1))
    assert read(write(search)) == search


def test_an_address_with_a_key_is_left_out_of_a_candidate() -> None:
    keyed = stored({"backend": "vllm", "base_url": "http://h/v1?api-key=hush", "repeats": 3})
    configs = (RunConfig(repeats=3), keyed)
    design = ComparisonDesign(None, 3, 3, None, 0.05)
    written = write(ComparisonScenario(configs, (), design, keys_of(design)))
    assert b"hush" not in written and b"# Left out: base_url, which may hold a key." in written


def test_an_error_in_a_capacity_search_names_its_line() -> None:
    assert sentences("capacity:\nrequests: 3\n") == [
        "a.yaml, line 3: requests is set by the search for each probe: leave it out."
    ]
    assert sentences("capacity:\nwindow_s: 3\n") == [
        "a.yaml, line 3: window_s is not a key of a capacity search. Write it under capacity."
    ]
    assert "line 3" in sentences("capacity:\n  objectives: [speed<1]\n")[0]
    assert "preset" in sentences("capacity:\npreset: tensor\n")[0]


def test_the_command_line_overrides_the_search_of_a_file() -> None:
    scenario = read(f"version: 1\n{SEARCH}", over={"window_s": 20.0, "max_tokens": 9})
    assert isinstance(scenario, CapacityScenario)
    assert scenario.config.window_s == 20.0 and scenario.config.servers[0].max_tokens == 9


@pytest.mark.parametrize(
    ("text", "noted"),
    [
        ("mode: users\nconcurrency: 2", ["concurrency has no effect with mode users."]),
        ("mode: batch\nconcurrency: 2", []),
        ("pause_s: 1\nthink_s: 3\ncompare:\n  - mode: batch", ["think_s has no effect with mode"]),
        ("pause_s: 1\nthink_s: 3\ncompare:\n  - mode: users", []),
        (
            "preset: clients\nrun:\n  interval_s: 1\n  think_s: 3",
            ["think_s has no effect with mode"],
        ),
        ("capacity: {}\npause_s: 3\nmax_tokens: 9", ["pause_s has no effect with mode poisson."]),
    ],
)
def test_a_field_that_no_run_uses_is_kept_and_noted(text: str, noted: list[str]) -> None:
    scenario = read(f"version: 1\n{text}\n")
    assert read(write(scenario)) == scenario or isinstance(scenario, ComparisonScenario)
    found = scenarios.notes(scenario)
    assert len(found) == len(noted)
    assert all(each.startswith(begin) for each, begin in zip(found, noted, strict=True))


@pytest.mark.parametrize("preset", PRESETS)
def test_what_a_preset_sets_is_not_noted(preset: str) -> None:
    assert not scenarios.notes(StudyScenario(preset_config(preset), Keys(version=1)))
