"""Choose the run that another run is compared with: the baseline of its tag or its model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, get_args

Kind = Literal["model", "tag"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Baseline:
    """A run that is the baseline of all runs with a model, or with a tag."""

    kind: Kind
    value: str
    run_id: int
    set_at: datetime


class Tagged(Protocol):
    """The attributes of a run by which baselines are matched."""

    @property
    def model(self) -> str: ...
    @property
    def tags(self) -> Sequence[str]: ...


def of_run(run_id: int, baselines: Iterable[Baseline]) -> tuple[Baseline, ...]:
    """Return the baselines for which this run is used."""
    return tuple(baseline for baseline in baselines if baseline.run_id == run_id)


def matching_baselines(
    run: Tagged, baselines: Iterable[Baseline], tag: str = "", model: str = ""
) -> tuple[Baseline, ...]:
    """Return the baselines for this run's model and tags, the best match first.

    Baselines for the `tag` or `model` by which the list of runs is filtered come first. Then tags
    come before models, and newer baselines before older ones.
    """

    def rank(baseline: Baseline) -> tuple[bool, bool, float, int]:
        looked_at = baseline.value == {"tag": tag, "model": model}[baseline.kind]
        return (
            not looked_at,
            baseline.kind != "tag",
            -baseline.set_at.timestamp(),
            -baseline.run_id,
        )

    has = {"model": (run.model,), "tag": run.tags}
    return tuple(
        sorted(
            (baseline for baseline in baselines if baseline.value in has[baseline.kind]), key=rank
        )
    )
