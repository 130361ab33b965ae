"""The keys of a scenario: the fields of the config, with their names in the API, and a few others:
its name, the design of a comparison, and conditions."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar

from pydantic import Field, field_validator, model_validator

from services.analysis.compare import MARGIN, MAX_MARGIN, MIN_MARGIN, Word
from services.analysis.comparison_design import DEFAULT_MAX_REPEATS
from services.analysis.thresholds import MEASURES, parse_threshold
from services.ask.about import About, field
from services.ask.base_config import BaseConfig
from services.ask.config import MAX_REPEATS, RunConfig
from services.ask.flag import flag
from services.ask.problems import InvalidConfig, validate
from services.report.scenario.document import Document, InvalidScenario
from services.report.scenario.yaml_text import shown
from services.servers.engines import EngineConfig
from services.studies.capacity_config import CapacityConfig
from services.studies.study_config import StudyConfig

VERSION = 1
PROMPTS_FILE, TRACE_FILE = "prompts_file", "trace_file"
COMPARE, PRESET = "compare", "preset"  # the keys of a comparison and of a study
CAPACITY = "capacity"  # that of a capacity search, which may compare servers
Tag = Annotated[str, Field(max_length=50)]
if TYPE_CHECKING:
    Measure = str
else:
    Measure = Literal[tuple(MEASURES)]


class Keys(BaseConfig):
    """The keys that every scenario may have besides its config."""

    version: Literal[1] = field(..., About("Version", "Version of the format and of the defaults"))
    name: str = field("", About("Name", "Name; empty: generated from the config"), max_length=200)
    tags: tuple[Tag, ...] = field((), About("Tags", "Tags of its runs"), max_length=20)
    note: str = field("", About("Note", "Note"), max_length=10_000)


class RunKeys(Keys):
    """The keys of a run."""

    slo: tuple[str, ...] = field(
        (),
        About(
            "Conditions",
            "`paceline run` exits with 1 unless the run meets all of them, such as ttft:p95<0.5",
        ),
        max_length=50,
    )

    @field_validator("slo")
    @classmethod
    def _conditions(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            parse_threshold(text)
        return texts


class ComparisonKeys(Keys):
    """The keys of a comparison: its design, and which verdicts make it fail."""

    most: int | None = field(
        None,
        About(
            "Max repeats",
            "Maximum number of repeats of each candidate, with `target`; empty: "
            f"{DEFAULT_MAX_REPEATS}, or `repeats` if that is more",
        ),
        ge=1,
        le=MAX_REPEATS,
    )
    target: float | None = field(
        None,
        About("Target", "Repeat until every confidence interval is within ± this share"),
        gt=0,
        lt=1,
    )
    margin: float = field(
        MARGIN,
        About("Margin", "Smaller differences count as equivalent, as a share"),
        ge=MIN_MARGIN,
        le=MAX_MARGIN,
    )
    order_seed: int | None = field(
        None, About("Seed of the order", "Order of the repeats; empty: random"), ge=0, lt=2**31
    )
    fail_if: tuple[Word, ...] = field(
        (), About("Fail if", "`paceline compare` exits with 1 if a verdict is one of these")
    )
    measure: Measure | None = field(
        None, About("Measure", "Metric that `fail_if` judges; empty: the deciding metric")
    )
    allow_no_verdict: bool = field(
        False, About("Allow no verdict", "Let `fail_if` pass without a verdict")
    )

    @model_validator(mode="after")
    def _check_fail_if(self) -> Self:
        for name in ("measure", "allow_no_verdict"):
            if getattr(self, name) and not self.fail_if:
                raise ValueError(f"{name}: requires fail_if. Add fail_if, or leave {name} out.")
        return self


RUN = (*RunConfig.model_fields, PROMPTS_FILE, TRACE_FILE)
CANDIDATE = tuple(name for name in RUN if name != "repeats")
KNOWN: dict[str, tuple[str, ...]] = {
    "run": (*RunKeys.model_fields, *RUN),
    "comparison": (*ComparisonKeys.model_fields, *RUN, COMPARE),
    "study": (*Keys.model_fields, *StudyConfig.model_fields),
    CAPACITY: ("version", "name", "note", *RUN, CAPACITY, COMPARE),  # each probe has its own tag
}
SEARCH = tuple(name for name in CapacityConfig.model_fields if name != "servers")
_ELSEWHERE = {  # keys of another kind of scenario, and what to do
    ("run", KNOWN["comparison"]): f"It belongs to a comparison, which has the key {COMPARE}.",
    ("run", KNOWN["study"]): f"It belongs to a study, which has the key {PRESET}.",
    ("study", RUN): "Write it under run.",
    (CAPACITY, SEARCH): "Write it under capacity.",
    ("study", tuple(EngineConfig.model_fields)): "Write it under engine.",
}
Extra = TypeVar("Extra", bound=Keys)


def kind_of(document: Document) -> str:
    """Return the kind of a scenario: a comparison has `compare`, a study `preset`, and a search
    `capacity`."""
    if CAPACITY in document.values and PRESET in document.values:
        raise document.problem(
            "capacity makes it a capacity search and preset a study. Keep one of them.", PRESET
        )
    if CAPACITY in document.values:
        return CAPACITY
    if COMPARE in document.values and PRESET in document.values:
        raise document.problem(
            "compare makes it a comparison and preset a study. Keep one of them.", PRESET
        )
    if COMPARE in document.values:
        return "comparison"
    return "study" if PRESET in document.values else "run"


def check(document: Document, kind: str) -> None:
    """Check that a scenario has a version and only known keys. Raises InvalidScenario."""
    version = document.values.get("version")
    if version is None:
        raise document.problem(f"version is missing. Begin the file with `version: {VERSION}`.")
    if version != VERSION or isinstance(version, bool):
        raise document.problem(
            f"version must be {VERSION}, the only one that this Paceline reads. Install the "
            "Paceline that wrote the file, or a newer one.",
            "version",
        )
    check_known(document, document.values, KNOWN[kind], kind)


def check_known(
    document: Document,
    values: Mapping[str, Any],
    known: Collection[str],
    kind: str,
    *location: str | int,
) -> None:
    """Check that the mapping at a location has only known keys. Raises InvalidScenario."""
    if unknown := [name for name in values if name not in known]:
        sentences = [
            document.sentence(" ".join(_unknown(name, known, kind)), *location, name)
            for name in unknown[:20]
        ]
        raise InvalidScenario("\n".join(sentences))


def _unknown(name: str, known: Collection[str], kind: str) -> Iterator[str]:
    what = "capacity search" if kind == CAPACITY else kind
    yield f"{shown(name)} is not a key of {'an' if kind == 'engine' else 'a'} {what}."
    for (where, elsewhere), sentence in _ELSEWHERE.items():
        if kind == where and name in elsewhere:
            yield sentence
            return
    near = similar(name, known)
    yield f"Did you mean {near}?" if near else "docs/scenarios.md lists the keys."


def similar(name: str, known: Collection[str]) -> str | None:
    """Return the key that was probably meant: written like its flag, or misspelled."""
    as_flags = {flag(each)[2:].replace("-", "_"): each for each in known}
    text = name.lower().replace("-", "_")
    near = get_close_matches(text, [*known, *as_flags], 1, 0.7)
    return as_flags.get(near[0], near[0]) if near else None


def extras(document: Document, kind: type[Extra], over: Mapping[str, Any] | None) -> Extra:
    """Return the keys of a scenario that are not config fields; those on the command line take
    precedence.

    Raises:
        InvalidScenario: a key of the file is invalid.
        InvalidConfig: one of the command line is.
    """
    given = {**document.values, **(over or {})}
    try:
        return validate(kind, {name: given[name] for name in kind.model_fields if name in given})
    except InvalidConfig as error:
        raise refused(document, error, over) from None


def refused(
    document: Document,
    error: InvalidConfig,
    over: Mapping[str, Any] | None,
    *location: str | int,
) -> Exception:
    """Return the error for invalid fields at a location, or on the command line."""
    typed = {name: text for name, text in error.problems.items() if name in (over or {})}
    return InvalidConfig(typed) if typed else document.problems(error.problems, *location)


FIRST = tuple(Keys.model_fields)  # the others follow the config


def first(own: Keys) -> dict[str, Any]:
    """Return the keys that a scenario begins with, without empty ones."""
    return {name: value for name, value in _written_keys(own).items() if name in FIRST}


def last(own: Keys) -> dict[str, Any]:
    """Return the keys that a scenario ends with, without empty ones."""
    return {name: value for name, value in _written_keys(own).items() if name not in FIRST}


def _written_keys(own: Keys) -> dict[str, Any]:
    return {"version": own.version, **own.model_dump(mode="json", exclude_defaults=True)}
