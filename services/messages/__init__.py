"""What the API takes and gives, shape by shape; its schema is made of these, and of those in
`engines` and `studies`.

Bodies with a field that there is not are refused: a misspelled limit would be no limit.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt

from services.analysis.compare import LEAST_MARGIN, MARGIN, MOST_MARGIN
from services.analysis.compare.baseline import Kind
from services.analysis.comparison_design import USUAL_REPEATS, ComparisonDesign
from services.ask.config import MOST_REPEATS, Mode, RunConfig, parse
from services.ask.measurement import RunStatus

OFFSET_MOST = 2**31 - 1


class Problem(BaseModel):
    """What is wrong, in sentences."""

    error: str
    problems: dict[str, str] = Field({}, description="A sentence for each wrong field")


class NewRun(RunConfig):
    """A run to be queued: what it is asked to do, and what people call it."""

    name: str = Field("", max_length=200, description="Name; empty: made from the config")
    tags: tuple[str, ...] = Field((), max_length=20, description="Tags of 1 to 50 characters")
    note: str = Field("", max_length=10_000, description="Note")

    def config(self) -> RunConfig:
        own = self.model_dump(exclude={"name", "tags", "note"})
        return parse(own)


class Started(BaseModel):
    """Where a new run, study or engine is found."""

    id: int
    url: str = Field(description="It over HTTP")
    page: str = Field(description="It in the browser")


class Against(BaseModel):
    """How a run stands to the one that is pinned for its tag or its model."""

    baseline: int = Field(description="The baseline run; its own number: it is the baseline")
    kind: Kind
    value: str = Field(description="The model or the tag")
    word: str = Field(description="A verdict, or baseline, or other work (nothing is compared)")
    measure: str | None = Field(description="By which measure")
    speed: float | None = Field(description="The ratio; of a latency its inverse")
    low: float | None = Field(description="Where its 95 % interval begins")
    high: float | None = Field(description="Where its 95 % interval ends")
    differs: list[str] = Field([], description="What differs between the two runs' servers")


class Pinned(BaseModel):
    """Which run is to be the reference."""

    model_config = ConfigDict(extra="forbid")

    run: StrictInt = Field(description="A run's number")


class Cancelled(BaseModel):
    """A run that is to stop. It has stopped when its status says so."""

    id: int
    status: RunStatus
    cancel_requested: bool


class NewShare(BaseModel):
    """Runs whose page is to be shared with whoever has the link."""

    model_config = ConfigDict(extra="forbid")

    runs: tuple[StrictInt, ...] = Field(description="Their numbers, the reference first")
    days: StrictInt | None = Field(30, description="So long it is good; null: until it is revoked")
    texts: StrictBool = Field(False, description="With prompts and answers")


class Shared(BaseModel):
    """A page that is shared. It stays as it was when it was made."""

    token: str = Field(description="What revokes it")
    path: str = Field(description="Where it is, below this Paceline's address")
    title: str
    runs: list[int]
    created_at: str = Field(description="ISO 8601")
    expires_at: str | None
    texts: bool


class Search(BaseModel):
    """Which runs are listed."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field("", max_length=1000, description="Part of a name, note, model or tag")
    backend: str | None = Field(None, description="Name of a backend")
    model: str | None = Field(None, description="The model that answered, exactly")
    mode: Mode | None = Field(None, description="How the requests were sent")
    tag: str | None = Field(None, description="A tag, exactly")
    status: RunStatus | None = Field(None, description="How far it is, or how it ended")
    limit: int = Field(100, ge=1, le=1000, description="Most runs in one answer")
    offset: int = Field(0, ge=0, le=OFFSET_MOST, description="Newest runs to leave out")


class NewTrial(BaseModel):
    """Runs that take turns, the reference first."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    candidates: tuple[RunConfig, ...] = Field(
        description="Two to eight; `repeats` is the comparison's"
    )
    repeats: StrictInt = Field(
        USUAL_REPEATS, ge=1, le=MOST_REPEATS, description="Of each, at least"
    )
    most: StrictInt | None = Field(
        None, ge=1, le=MOST_REPEATS, description="Of each, at most; empty: as `repeats`"
    )
    target: StrictFloat | None = Field(
        None, gt=0, lt=1, description="Go on until every interval is within this share"
    )
    margin: StrictFloat = Field(
        MARGIN, ge=LEAST_MARGIN, le=MOST_MARGIN, description="Differences that do not matter"
    )
    seed: StrictInt | None = Field(None, ge=0, lt=2**31, description="Of the order; empty: drawn")
    name: str = Field("", max_length=200, description="Name of all; empty: made from the config")
    tags: tuple[str, ...] = Field((), max_length=20, description="Tags of 1 to 50 characters")
    note: str = Field("", max_length=10_000, description="Note")

    def asked(self) -> ComparisonDesign:
        most = self.repeats if self.most is None else self.most
        return ComparisonDesign(self.seed, self.repeats, most, self.target, self.margin)


class TrialFacts(BaseModel):
    """A stored comparison and how its runs stand."""

    id: int
    asked: ComparisonDesign
    runs: dict[int, RunStatus] = Field(description="Status by run, the reference first")
    page: str = Field(description="The comparison in the browser")


class More(BaseModel):
    """How often runs are measured again."""

    model_config = ConfigDict(extra="forbid")

    repeats: StrictInt = Field(ge=1, le=MOST_REPEATS, description="Further repeats of each")
