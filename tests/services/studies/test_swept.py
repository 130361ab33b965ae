"""What a study swept is called by its name: concurrency, batch size, prompt or answer length."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.ask.config import RunConfig
from services.report.charts import spec
from services.report.charts.scaling import STUDY_CHARTS, worded
from services.studies.cell import Cell, MeasuredCell
from services.studies.kind import kind_of
from services.studies.parallel import Parallel
from services.studies.presets import PRESETS
from services.studies.report import report
from services.studies.scaling import scaling
from services.studies.study_link import preset_config
from services.studies.swept import swept_axis
from services.studies.tables import all_tables
from services.studies.work import work_of
from tests.values import cell


def cells(*loads: dict[str, Any]) -> list[MeasuredCell]:
    return [cell(1 + at, index=at, **load) for at, load in enumerate(loads)]


CONCURRENCY = cells(
    *({"size": n, "requests": 16, "concurrency": n, "repeats": 3} for n in (1, 2, 4))
)
BATCHES = cells({"size": 1}, {"size": 8})
PROMPTS = cells(*({"workload": "synthetic", "input_tokens": n} for n in (128, 2048)))
ANSWERS = cells(*({"max_tokens": n} for n in (16, 64)))
BOTH = cells(
    *({"size": n, "workload": "synthetic", "input_tokens": m} for n in (1, 8) for m in (128, 512))
)


@pytest.mark.parametrize(
    ("measured", "name", "title", "values"),
    [
        (CONCURRENCY, "concurrency", "Concurrency", [1, 2, 4]),
        (BATCHES, "batch size", "Batch size (log scale)", [1, 8]),
        (PROMPTS, "prompt length", "Prompt length (tokens, log scale)", [128, 2048]),
        (ANSWERS, "answer length", "Answer length (tokens)", [16, 64]),
        (BOTH, "batch size", "Batch size (log scale)", [1, 8]),
    ],
)
def test_axes_and_questions_have_the_name_of_what_was_swept(
    measured: list[MeasuredCell], name: str, title: str, values: list[int]
) -> None:
    axis = swept_axis([work_of(one.cell.config) for one in measured])
    assert axis.name == name
    charts = {chart.name: worded(chart, measured) for chart in STUDY_CHARTS}
    throughput = charts["batch_throughput"]
    assert throughput.question == f"How does throughput change with {name}?"
    assert throughput.title == f"Throughput against {name}"
    chart = throughput.draw(measured)
    assert chart is not None
    drawn = spec(chart)
    assert sorted({row["size"] for row in drawn["datasets"]["points"]}) == values
    assert drawn["layer"][0]["encoding"]["x"]["title"] == title
    assert name in " ".join(drawn["title"]["text"])


def test_no_placeholder_is_left_in_titles_and_questions() -> None:
    assert not any("{" in worded(c, BATCHES).question + worded(c, []).title for c in STUDY_CHARTS)


def test_a_sweep_of_lengths_reports_its_ends_and_their_ratio() -> None:
    """A batch of 4 has 5 tokens each in 3 s; twice as fast is twice the throughput."""
    result = report(PROMPTS)
    assert result.headline == (
        "TP 1 gives 6.67 tokens/s (95 % 6.34–7.01) at 128 tokens in, and 13.3 tokens/s (95 % "
        "12.7–14.0) at 2,048 tokens in (2.00×, 95 % 1.91–2.09)."
    )
    assert result.varied == "Varied: prompt length (128, 2,048 tokens). 2 of 2 cells measured."
    text = " ".join((*result.sentences, str(all_tables(result))))
    assert "batch" not in text.lower() and "concurrency" not in text.lower()
    assert "nothing else was measured" not in text, "which says nothing of either"


def test_an_answer_length_is_no_concurrency() -> None:
    result = report(ANSWERS)
    assert "at 16 tokens out" in result.headline
    assert result.varied == "Varied: answer length (16, 64 tokens). 2 of 2 cells measured."


def test_an_existing_server_is_labelled_by_its_model() -> None:
    loads = [RunConfig(backend="url", base_url="http://a:1/v1", model=m) for m in ("org/it", "")]
    grid = [replace(one, cell=Cell(at, None, loads[at])) for at, one in enumerate(BATCHES)]
    (configuration,) = scaling(grid).labels.items()
    assert configuration[1] == "it", "that cell whose model is not known yet is of the same server"
    assert scaling(grid[1:]).rows[0].label == "a:1"


@pytest.mark.parametrize(
    ("preset", "changes", "label"),
    [
        ("concurrency", {}, "Concurrency sweep"),
        ("concurrency", {"concurrencies": (1, 64)}, "Concurrency sweep"),
        ("batch_length", {"batches": (4,)}, "Prompt length"),
        ("concurrency", {"input_lengths": (8, 16)}, "Prompt length × concurrency"),
        ("tensor", {"parallel": (Parallel(),)}, "Batch size"),
        ("clients", {"batches": (4, 8)}, "Clients versus one batch"),
        ("batch_length", {"batches": (), "input_lengths": ()}, "Batch × length"),
    ],
)
def test_a_study_is_called_by_what_it_varies(
    preset: str, changes: dict[str, Any], label: str
) -> None:
    kind = kind_of(preset_config(preset).model_copy(update=changes))
    assert kind.label == label
    assert bool(kind.help) == (label == PRESETS[preset].label)
