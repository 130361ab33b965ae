"""*Open scenario*: a file fills the form as a link does; what the form cannot hold is said."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from pages.widgets import scenario_file
from services.analysis.comparison_design import ComparisonDesign
from services.ask.config import parse
from services.report.scenario import ComparisonScenario, RunScenario, Scenario, read, scenario_of
from services.report.scenario.run import Reading
from tests.pages.conftest import Visit, complaints, link_of, sound, text_of

LABEL = "Scenario (YAML)"
DIFFERS = "The scenario that you opened differs from this form in"


def opened(at: AppTest, text: str, name: str = "a.yaml") -> AppTest:
    (uploader,) = [each for each in at.file_uploader if each.label == LABEL]
    uploader.upload(name, f"version: 1\n{text}".encode(), "application/yaml")
    return sound(at.run())


def test_a_run_fills_the_form(visit: Visit) -> None:
    called = "name: Nightly\ntags: [a, b]\nnote: One\n"
    at = opened(visit("run"), f"mode: batch\nrequests: 7\nconcurrency: 3\n{called}")
    assert link_of(at) == {"mode": "batch", "requests": "7", "concurrency": "3"}
    assert at.number_input(key="run-requests").value == 7
    assert at.text_input(key="about-name").value == "Nightly"
    assert at.text_input(key="about-tags").value == "a, b"
    assert DIFFERS not in text_of(at) and not complaints(at)


def test_own_prompts_of_a_scenario_are_loaded_but_not_in_the_link(visit: Visit) -> None:
    at = opened(visit("run", requests="9"), "prompt: Who am I?\n")
    assert link_of(at) == {"workload": "text"}
    assert at.text_area(key="run-prompt").value == "Who am I?"
    assert at.number_input(key="run-requests").value == 5
    at = opened(at, "prompts: [Who?, Where?, When?]\n")
    assert "Uses the 3 prompts" in text_of(at) and not complaints(at)
    assert at.toggle(key="scenario-own-prompts").label == "Include your own prompts"
    at.number_input(key="run-requests").set_value(6)
    assert "Uses the 3 prompts" in text_of(sound(at.run()))


def test_a_trace_of_a_scenario_is_loaded_but_not_in_the_link(visit: Visit) -> None:
    at = opened(visit("run"), "trace: [[0, 60, 5], [1.5, 70, 6], [4, 30, 7]]\ntrace_speed: 2\n")
    assert "3 requests in 4 s, on average 53 prompt tokens" in text_of(at)
    assert "Sends 3 requests" in text_of(at) and not complaints(at)
    assert "trace" not in link_of(at) and link_of(at)["mode"] == "replay"
    at = opened(at, "prompts: [{prompt: Who?, output_tokens: 5}, Where?]\nmax_tokens: 9\n")
    assert "Answer lengths: p5 5, p50 9, p95 9 tokens" in text_of(at)


def test_a_scenario_without_its_prompts_asks_for_them(visit: Visit) -> None:
    at = opened(visit("run"), "workload: text\nrequests: 2\n")
    assert at.text_area(key="run-prompt").value == "" and at.number_input[0].value == 2
    assert next(each for each in at.button if each.label == "Download scenario").disabled


def test_a_comparison_fills_the_form(visit: Visit) -> None:
    design = "repeats: 3\nmargin: 0.1\norder_seed: 4\nfail_if: [slower]\n"
    at = opened(
        visit("run"), f"mode: batch\n{design}compare:\n  - concurrency: 2\n  - requests: 5\n"
    )
    assert link_of(at)["vs"] == "concurrency=2;same"
    at = opened(at, f"mode: batch\n{design}compare:\n  - concurrency: 2\n  - concurrency: 4\n")
    link = {"mode": "batch", "vs": "concurrency=2;concurrency=4", "each": "3", "within": "10"}
    assert link_of(at) == link
    assert f"{DIFFERS}: order_seed, fail_if." in text_of(at)


def test_an_invalid_comparison_is_reported(visit: Visit) -> None:
    at = opened(visit("run"), "mode: batch\ncompare:\n  - {concurrency: 2, max_tokens: 9}\n")
    assert f"{DIFFERS}: compare." in text_of(at)


@pytest.mark.parametrize("page", ["run", "study"])
def test_a_study_fills_its_own_form(visit: Visit, page: str) -> None:
    study = "name: Sweep\npreset: concurrency\nconcurrencies: [1, 3]\nrun: {max_tokens: 7}\n"
    at = opened(visit(page), study)
    assert at.title[0].value == "How does it scale?"
    assert at.text_input(key="study-concurrencies").value == "1, 3"
    assert at.number_input(key="run-max_tokens").value == 7
    assert at.text_input(key="about-name").value == "Sweep"
    assert DIFFERS not in text_of(at) and not complaints(at)


def test_errors_are_reported_where_the_file_is_opened(visit: Visit) -> None:
    at = opened(visit("run"), "max-tokens: 3\n")
    assert complaints(at) == (
        "a.yaml, line 2: max-tokens is not a key of a run. Did you mean max_tokens?"
    )
    at = opened(at, "prompts_file: a.jsonl\n")
    assert "prompts_file can only be read on the command line." in complaints(at)
    assert link_of(at) == {}


def again(scenario: Scenario | None) -> Scenario:
    assert scenario is not None
    data = scenario_file.write(scenario, own_prompts=True)
    return scenario_of(read(data, "a.yaml"), Reading())


def test_the_download_matches_the_form() -> None:
    configs = [parse({"mode": "batch", "concurrency": most}) for most in (1, 2)]
    about = {"name": "A", "tags": ["a ", "", "b"], "note": ""}
    run = again(scenario_file.of_form(configs[:1], None, about))
    assert isinstance(run, RunScenario) and run.config == configs[0]
    assert (run.keys.name, run.keys.tags) == ("A", ("a", "b"))
    design = ComparisonDesign(repeats=3, most=20, target=0.1)
    comparison = again(scenario_file.of_form(configs, design, about))
    assert isinstance(comparison, ComparisonScenario) and comparison.design == design
    assert [config.concurrency for config in comparison.configs] == [1, 2]


def test_an_invalid_form_cannot_be_downloaded() -> None:
    about = {"name": "", "tags": [], "note": ""}
    assert scenario_file.of_form([], None, about) is None
    assert scenario_file.of_form([parse({})], ComparisonDesign(), about) is None
    assert scenario_file.of_form([parse({})], None, {**about, "tags": ["x" * 60]}) is None
