"""The diagnostics of a comparison and of its runs, each with the names of those it is about."""

from __future__ import annotations

import pytest

from services.analysis.compare import compare
from services.analysis.compare.diagnosed import EVERY, diagnosed
from services.analysis.diagnostics.client import TOGETHER
from tests.values import candidate, failed, measured


def test_a_diagnostic_names_its_run_unless_it_is_of_the_comparison() -> None:
    good = [measured(i, finish_reason="length") for i in range(3)]
    runs = [
        candidate(good, run_id=1, name="A"),
        candidate([*good, failed(3)], run_id=2, name="B"),
        candidate(good, run_id=3, name="C"),
    ]
    found = compare(runs)
    labelled = (found.baseline, *found.others)
    by_title = {each.title: runs for each, runs in diagnosed(labelled, found.warnings)}
    assert by_title["1 of 4 requests failed"] == "B"
    assert by_title["Different error rates"] == "", "that is of the comparison"
    levels = [each.level for each, runs in diagnosed(labelled, ()) if runs]
    assert levels == sorted(levels, key=lambda level: level != "warning")


def test_a_diagnostic_of_the_comparison_is_not_repeated_for_each_run() -> None:
    twos = [measured(0, coalesced_reads=1, token_times=(1.0, 2.0, 2.0, 3.0))]
    runs = [candidate(twos, run_id=n, name=name) for n, name in enumerate("AB", 1)]
    found = compare(runs)
    titles = [each.title for each, _ in diagnosed((found.baseline, *found.others), found.warnings)]
    assert titles.count(TOGETHER) == 1


@pytest.mark.parametrize(("names", "said"), [("AB", "A; B"), ("ABC", EVERY)])
def test_a_diagnostic_of_all_runs_is_shown_once(names: str, said: str) -> None:
    runs = [candidate([measured(0)], run_id=n, name=name) for n, name in enumerate(names, 1)]
    found = compare(runs)
    shared = [of for _, of in diagnosed((found.baseline, *found.others), ()) if of]
    assert set(shared) == {said}
