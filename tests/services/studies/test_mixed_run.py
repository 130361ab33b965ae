"""A mix and its classes alone, measured for real against a server that logs what it is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from sqlalchemy import Engine

import jobs
from db import results, runs
from services.analysis.summary import summary_row
from services.ask.workloads import classifier, prompt
from services.ask.workloads.mixed import CLASSES, LONG, SHORT
from services.load.reference import log_key
from services.studies.mixing import InvalidMixing, alone, mixing, sentence
from tests.conftest import ReferenceServer, finished

pytestmark = pytest.mark.slow

MIX = {
    "workload": "mixed",
    "input_tokens": 20,
    "long_input_tokens": 120,
    "long_every": 3,
    "max_tokens": 3,
    "long_max_tokens": 7,
    "mode": "staggered",
    "interval_s": 0.01,
}


@pytest.mark.long
@pytest.mark.parametrize("client", ["wire", "litellm"])
def test_every_request_of_a_mix_sets_its_classs_max_tokens(
    database: Engine, reference: ReferenceServer, reference_run: Callable[..., int], client: str
) -> None:
    run_id = reference_run("ref tokens=50 gap=0.001", requests=7, client=client, **MIX)
    run = finished(database, run_id)
    assert (run.status, run.error) == ("done", None)
    log, mark = reference.log(), run.environment["prompt_mark"]
    most, class_of = {SHORT: 3, LONG: 7}, classifier(run.config)
    for measured in runs.measurements(database, run_id):
        request = log[log_key(prompt(run.config, measured.repeat, measured.index, mark))]
        wanted = most[class_of(measured.index)]
        assert (request["body"]["max_tokens"], measured.output_tokens) == (wanted, wanted)
    warm = [log[log_key(prompt(run.config, -1, index, mark))]["body"] for index in range(2)]
    assert [body["max_tokens"] for body in warm] == [3, 7]
    (row,) = runs.search(database)
    assert row.headline["short_output_tokens_mean"] == 3 < row.headline["long_output_tokens_mean"]


@pytest.mark.long
def test_a_mix_and_its_classes_alone_give_a_verdict(
    database: Engine, reference_run: Callable[..., int]
) -> None:
    mix_id = reference_run("ref ttft=0.03", requests=6, repeats=3, **MIX)
    mix = finished(database, mix_id)
    ids = [jobs.submit(database, alone(mix.config, name)) for name in CLASSES]
    for run_id in ids:
        assert finished(database, run_id).status == "done"
    short, long, whole = results.candidates(database, [*ids, mix_id])
    assert [Counter(m.output_tokens for m in run.measurements) for run in (short, long)] == [
        {3: 12},
        {7: 6},
    ]
    result = mixing(short, long, whole)
    assert len(result.slowdowns.findings) == 4
    assert all(run.ratio and run.ratio.low for run in result.slowdowns.findings)
    assert " alone" in sentence(result)
    row = summary_row(whole.summary)
    assert (row["short_sent"], row["long_sent"], row["failed"]) == (12, 6, 0)
    assert row["fairness"] is not None and 1 / 6 <= row["fairness"] <= 1
    with pytest.raises(InvalidMixing):
        mixing(long, short, whole)
