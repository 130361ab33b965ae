"""Labels of a study's cells: what distinguishes their works, and nothing else."""

from __future__ import annotations

from services.ask.config import RunConfig, parse
from services.studies.grid import cells
from services.studies.study_link import preset_config
from services.studies.work import load_labels


def labels(*values: dict[str, object]) -> list[str]:
    configs: list[RunConfig] = [parse({"mode": "staggered", **each}) for each in values]
    return load_labels(configs)


def test_a_minor_field_that_only_one_workload_uses_is_left_out_at_its_default() -> None:
    mix = {"workload": "mixed", "input_tokens": 64, "long_input_tokens": 512}
    first, second = labels({"workload": "synthetic", "input_tokens": 64}, mix)
    assert first == "synthetic"
    assert second == "mixed · long prompts 512 tokens in"
    shared = {"workload": "synthetic", "input_tokens": 64, "prefix_share": 0.5}
    assert labels(shared, mix)[0] == "synthetic · prefix share 0.5"


def test_labels_of_the_mixed_preset_are_short_and_different() -> None:
    found = load_labels([cell.config for cell in cells(preset_config("mixed"))])
    assert len(set(found)) == 3, found  # on each of two engines
    assert max(map(len, found)) < 90, found
