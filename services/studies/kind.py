"""What kind of study it is, named after what it varies.

A study keeps its preset, but people change the axes: *Batch × length* with one batch size varies
only the prompt length.
"""

from __future__ import annotations

from typing import NamedTuple

from services.studies.axis import parse_axes
from services.studies.presets import PRESETS
from services.studies.study_config import StudyConfig


class Kind(NamedTuple):
    """A name, and a sentence about it or ""."""

    label: str
    help: str


def kind_of(study: StudyConfig) -> Kind:
    """Return the preset's text if the study varies what the preset does, otherwise what it
    varies."""
    preset = PRESETS[study.preset]
    names = [name for field, name in AXES.items() if len(getattr(study, field)) > 1]
    further = [axis.label for axis in parse_axes(study.axes) if len(axis.values) > 1]
    usual = [name for field, name in AXES.items() if len(getattr(preset, field)) > 1]
    if not further and (not names or names == usual or preset.derives_loads):
        return Kind(preset.label, preset.help)
    if preset.derives_loads:
        names = [preset.label.lower()]
    text = " × ".join((*names, *further))
    return Kind(f"{text[:1].upper()}{text[1:]}", "")


AXES = {
    "parallel": "parallelism",
    "chunked": "chunked prefill",
    "batches": "batch size",
    "input_lengths": "prompt length",
    "concurrencies": "concurrency",
}
