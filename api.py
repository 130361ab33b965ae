"""The same actions over HTTP, mounted at /api. Its OpenAPI schema is at /api/openapi.json.

Whatever is wrong with a request is answered by `Problem`: a sentence, and one for each wrong field.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, MutableMapping
from dataclasses import dataclass, fields
from typing import Annotated, Any

import orjson
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException as AnyHTTPException

import jobs
from db import comparisons, imported, pins, results, runs, shares, standings, studies
from db import engines as stored_engines
from db.comparisons import CannotRepeat, ComparisonNotFound
from db.database import UNUSABLE, opened, said_of
from db.engines import EngineBusy, EngineNotFound
from db.imported import AlreadyImported
from db.pins import InvalidPin, NotPinned
from db.runs import AlreadyFinished, InvalidEdit, RunBusy, RunNotFound, RunRow
from db.shares import InvalidShare, Share, ShareNotFound
from db.studies import StudyNotFound, StudyRow
from jobs import serving
from jobs import studies as at_work
from services import VERSION
from services.analysis.compare.baseline import Baseline, Kind
from services.analysis.compare.baseline_verdict import BaselineVerdict, as_row
from services.analysis.comparison_design import InvalidComparison, StoredComparison
from services.ask.backends import BackendProblem, find
from services.ask.measurement import IMPORT as IMPORTED
from services.ask.problems import InvalidConfig, sentences_of
from services.ask.workloads.promptfile import FILE_BYTES_MOST
from services.base.bodies import InvalidBody, TooManyEntries, read_json
from services.base.settings import InvalidSettings
from services.messages import (
    Against,
    Cancelled,
    More,
    NewRun,
    NewShare,
    NewTrial,
    Pinned,
    Problem,
    Search,
    Shared,
    Started,
    TrialFacts,
)
from services.messages.engines import EngineFacts, EngineWithLog, as_facts, engine_facts
from services.messages.studies import NewStudy, Plan, Resumed, StudyFacts, plan_facts, study_facts
from services.report.export import export, run_document
from services.report.export.shape import RunDocument
from services.report.export.study import study_document
from services.report.export.study_shape import StudyDocument
from services.report.imports import MOST_BYTES, InvalidImport
from services.servers.engines import EngineConfig, EngineProblem, devices
from services.studies.feasible import NothingToResume
from services.studies.study_config import inner

BODY_MOST = FILE_BYTES_MOST  # bytes of a request: as much as a file of prompts may have
SMALL_MOST = 100_000  # bytes of a request that has no prompts
IMPORT = "/import"
WITH_PROMPTS = ("/runs", "/trials", "/studies", "/studies/plan")


def _says(**codes: str) -> dict[int | str, dict[str, Any]]:
    return {
        int(code[1:]): {"model": Problem, "description": words} for code, words in codes.items()
    }


class Body(Request):
    """A request whose JSON is looked over and read beside the loop that answers the others."""

    async def json(self) -> Any:
        try:
            return await run_in_threadpool(read_json, await self.body())
        except TooManyEntries as error:
            raise HTTPException(413, str(error)) from None
        except InvalidBody as error:
            raise HTTPException(422, str(error)) from None


class Route(APIRoute):
    """One that reads bodies so."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def read_so(request: Request) -> Response:
            return await answer(Body(request.scope, request.receive))

        return read_so


api = FastAPI(
    title="Paceline",
    version=VERSION,
    description="Start runs, watch them, take their results. Times are seconds, lengths tokens.",
    docs_url=None,  # FastAPI's pages load their scripts from elsewhere
    redoc_url=None,
    redirect_slashes=False,
    servers=[{"url": "/api"}],
    responses=_says(_422="A field is wrong", _503="The database or the queue cannot be used"),
)
api.router.route_class = Route


@dataclass(frozen=True, slots=True)
class ListedRun(RunRow):
    """A run in a list. `against` is null where it has no reference, or nothing can be said."""

    against: Against | None = None


def only_json(request: Request) -> None:
    """Refuse a body that does not say it is JSON: a form on another site's page can send those."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(415, "Send it as JSON, with Content-Type: application/json.")


def only_a_file(request: Request) -> None:
    """Refuse a body of a kind that a form on another site's page can send."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/json", "application/octet-stream"):
        raise HTTPException(
            415, "Send the file's bytes, with Content-Type: application/octet-stream."
        )


def takes_json(**codes: str) -> dict[str, Any]:
    """Return what every route with a body of JSON has, besides its own `codes` of refusals."""
    known = {"_413": "The body is too long", "_415": "The body is not JSON"}
    return {"dependencies": [Depends(only_json)], "responses": _says(**known | codes)}


RunId = Annotated[int, Field(description="A run's number")]
StudyId = Annotated[int, Field(description="A study's number")]
EngineId = Annotated[int, Field(description="An engine's number")]


@api.get("/runs")
def list_runs(search: Annotated[Search, Query()]) -> list[ListedRun]:
    """List runs, newest first, each with the numbers of its summary as `headline`, and with how it
    stands `against` its reference."""
    if search.backend not in (None, IMPORTED):
        find(search.backend)
    filters: Any = search.model_dump(exclude={"text", "limit", "offset"})
    rows = runs.search(opened(), search.text, limit=search.limit, offset=search.offset, **filters)
    against = standings.standings(opened(), rows, search.tag or "", search.model or "")
    return [_listed(row, against.get(row.id)) for row in rows]


def _listed(row: RunRow, verdict: BaselineVerdict | None) -> ListedRun:
    values = {field.name: getattr(row, field.name) for field in fields(row)}
    return ListedRun(**values, against=Against(**as_row(verdict)) if verdict else None)


@api.post(
    "/runs",
    status_code=202,
    **takes_json(),
)
def start_run(new: NewRun) -> Started:
    """Queue a run. It is measured when its backend is free."""
    run_id = jobs.submit(opened(), new.config(), new.name, new.tags, new.note)
    return Started(id=run_id, url=f"/api/runs/{run_id}", page=f"/result?run={run_id}")


@api.post(
    IMPORT,
    status_code=201,
    dependencies=[Depends(only_a_file)],
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"format": "binary"}}},
        }
    },
    responses=_says(
        _409="The same file is here already", _413="The file is too long", _415="Not a file"
    ),
)
async def import_runs(
    request: Request,
    name: Annotated[str, Query(max_length=300, description="What the file is called")] = "",
    again: Annotated[bool, Query(description="Even if the same file is here already")] = False,
) -> list[Started]:
    """Store the runs of a result file of another benchmark, or of another Paceline."""
    data = await request.body()
    ids = await run_in_threadpool(imported.bring_in, opened(), data, name or "The file", again)
    return [Started(id=n, url=f"/api/runs/{n}", page=f"/result?run={n}") for n in ids]


@api.get(
    "/runs/{run_id}",
    response_class=Response,
    responses={200: {"model": RunDocument}, **_says(_404="There is no such run")},
)
def show_run(run_id: RunId) -> Response:
    """Return a run, its summary and its requests. Prompts and answers are not part of it."""
    document = run_document(results.candidate(opened(), run_id))
    return Response(orjson.dumps(document), media_type="application/json")


@api.get(
    "/runs/{run_id}/requests.csv",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}}, **_says(_404="There is no such run")},
)
def requests_as_csv(run_id: RunId) -> Response:
    """Return the requests of a run as CSV, one line a request."""
    kind = export("requests.csv")
    data = kind.write([results.candidate(opened(), run_id)])
    disposition = {"Content-Disposition": f'attachment; filename="{kind.filename_of([run_id])}"'}
    return Response(data, media_type=kind.mime, headers=disposition)


@api.post(
    "/runs/{run_id}/cancel",
    responses=_says(_404="There is no such run", _409="It has ended already"),
)
def cancel_run(run_id: RunId) -> Cancelled:
    """Stop a run; what it has measured is kept."""
    run = jobs.cancel(opened(), run_id)
    return Cancelled(id=run.id, status=run.status, cancel_requested=run.cancel_requested)


@api.get("/pins")
def list_pins() -> list[Baseline]:
    """List the references of models and tags, the newest first."""
    return list(pins.pins(opened()))


@api.put(
    "/pins/{kind}/{value:path}",
    **takes_json(_404="There is no such run"),
)
def pin(kind: Kind, value: str, pinned: Pinned) -> Baseline:
    """Make a run the reference of its model, or of a tag, in place of the one before. A run without
    that tag gets it."""
    return pins.pin(opened(), kind, value, pinned.run)


@api.delete(
    "/pins/{kind}/{value:path}", status_code=204, responses=_says(_404="It has no reference")
)
def unpin(kind: Kind, value: str) -> None:
    """Let a model or a tag have no reference."""
    pins.unpin(opened(), kind, value)


@api.post("/trials", status_code=202, **takes_json())
def start_trial(new: NewTrial) -> TrialFacts:
    """Queue runs that are measured in turns, one repeat each, in an order drawn by the seed."""
    trial = jobs.submit_comparison(
        opened(), new.candidates, new.asked(), new.name, new.tags, new.note
    )
    return _facts(trial)


@api.get("/trials/{trial_id}", responses=_says(_404="There is no such trial"))
def show_trial(trial_id: int) -> TrialFacts:
    """Return how the runs of a trial stand."""
    return _facts(comparisons.load(opened(), trial_id))


@api.post("/trials/{trial_id}/cancel", responses=_says(_404="There is no such trial"))
def cancel_comparison(trial_id: int) -> TrialFacts:
    """Stop all runs of a trial; what they have measured is kept."""
    jobs.cancel_comparison(opened(), trial_id)
    return _facts(comparisons.load(opened(), trial_id))


@api.post(
    "/runs/{run_id}/more",
    status_code=202,
    **takes_json(_404="There is no such run", _409="It cannot have more repeats"),
)
def measure_more(run_id: RunId, more: More) -> Started:
    """Queue further repeats of a run that is done."""
    jobs.more(opened(), [run_id], more.repeats)
    return Started(id=run_id, url=f"/api/runs/{run_id}", page=f"/result?run={run_id}")


def _facts(trial: StoredComparison) -> TrialFacts:
    found = runs.load_many(opened(), trial.run_ids)
    page = f"/compare?runs={','.join(map(str, trial.run_ids))}"
    statuses = {run.id: run.status for run in found}
    return TrialFacts(id=trial.id, asked=trial.asked, runs=statuses, page=page)


@api.get("/studies")
def list_studies(
    limit: Annotated[int, Query(ge=1, le=1000, description="Most studies")] = 100,
) -> list[StudyRow]:
    """List studies, newest first: how many cells each has, how many are done, how many to come."""
    return studies.listed(opened(), limit)


@api.post(
    "/studies",
    status_code=202,
    **takes_json(),
)
def start_study(new: NewStudy) -> Started:
    """Queue a study: each of its engines is started, measured with every load, and stopped. A cell
    that cannot be measured here is kept as failed, with why."""
    study_id = at_work.submit(opened(), new.config(), new.name, new.tags, new.note)
    return Started(id=study_id, url=f"/api/studies/{study_id}", page=f"/study?study={study_id}")


@api.post(
    "/studies/plan",
    **takes_json(),
)
def plan_study(new: NewStudy) -> Plan:
    """Say what a study would measure, what stands in the way, and what it takes. Nothing starts."""
    config = new.config()
    grid = at_work.plan(config)
    return plan_facts(grid, at_work.ahead(opened(), config, grid), devices().counted())


@api.get("/studies/{study_id}", responses=_says(_404="There is no such study"))
def show_study(study_id: StudyId) -> StudyFacts:
    """Return how a study stands: its cells with their runs and problems, its engines."""
    return study_facts(studies.load(opened(), study_id))


@api.get(
    "/studies/{study_id}/report",
    response_class=Response,
    responses={200: {"model": StudyDocument}, **_says(_404="There is no such study")},
)
def report_study(study_id: StudyId) -> Response:
    """Return what a study says of what is measured so far, and the numbers behind it."""
    found = studies.load(opened(), study_id)
    document = study_document(found.name, *at_work.told(opened(), found))
    return Response(orjson.dumps(document), media_type="application/json")


@api.post("/studies/{study_id}/cancel", responses=_says(_404="There is no such study"))
def cancel_study(study_id: StudyId) -> StudyFacts:
    """Stop a study and its engines; what is measured is kept."""
    at_work.cancel(opened(), study_id)
    return study_facts(studies.load(opened(), study_id))


@api.post(
    "/studies/{study_id}/resume",
    status_code=202,
    **takes_json(_404="There is no such study", _409="There is nothing to resume"),
)
def resume_study(study_id: StudyId, what: Resumed) -> StudyFacts:
    """Measure anew the cells of a study that were cut short."""
    at_work.resume(opened(), study_id, what.failed)
    return study_facts(studies.load(opened(), study_id))


@api.delete(
    "/studies/{study_id}",
    status_code=204,
    responses=_says(_404="There is no such study", _409="It is being measured: cancel it first"),
)
def delete_study(study_id: StudyId) -> None:
    """Delete a study, its engines and its runs, with all that they measured."""
    at_work.delete(opened(), study_id)


@api.get("/engines")
def list_engines() -> list[EngineFacts]:
    """List the engines that people started and those of studies that are up, newest first."""
    return list(map(engine_facts, serving.known(opened())))


@api.post(
    "/engines",
    status_code=202,
    **takes_json(),
)
def start_engine(new: EngineConfig) -> Started:
    """Start an engine on this machine. It goes on running until it is stopped."""
    engine_id = serving.start(opened(), new)
    return Started(id=engine_id, url=f"/api/engines/{engine_id}", page="/engines")


@api.get("/engines/{engine_id}", responses=_says(_404="There is no such engine"))
def show_engine(engine_id: EngineId) -> EngineWithLog:
    """Return how an engine is, with the end of its log."""
    found = stored_engines.load(opened(), engine_id)
    return EngineWithLog(**as_facts(found), log=serving.said(opened(), engine_id))


@api.post("/engines/{engine_id}/stop", responses=_says(_404="There is no such engine"))
def stop_engine(engine_id: EngineId) -> EngineFacts:
    """Stop an engine. It has stopped when its status says so."""
    return engine_facts(serving.stop(opened(), engine_id))


@api.post(
    "/shares",
    status_code=201,
    **takes_json(_404="There is no such run"),
)
def share_runs(new: NewShare) -> Shared:
    """Make a page of runs that anybody with its address may see, until it is revoked."""
    return _shared(shares.publish(opened(), new.runs, new.days, new.texts))


@api.get("/shares")
def list_shares(
    runs: Annotated[str, Query(pattern=r"^[\d,]*$", max_length=200, description="12,15")] = "",
) -> list[Shared]:
    """List what is shared of exactly these runs in this order, or of any, the newest first."""
    wanted = [int(word) for word in runs.split(",") if word]
    return [_shared(share) for share in shares.listed(opened(), wanted)]


@api.delete("/shares/{token}", status_code=204, responses=_says(_404="There is no such page"))
def revoke_share(token: str) -> None:
    """Revoke a page: from now on nothing is behind its address."""
    shares.revoke(opened(), token)


def _shared(share: Share) -> Shared:
    return Shared(
        token=share.token,
        path=share.path,
        title=share.title,
        runs=list(share.run_ids),
        created_at=share.created_at.isoformat(),
        expires_at=share.expires_at.isoformat() if share.expires_at else None,
        texts=share.texts,
    )


# --- what is wrong, in sentences -------------------------------------------------------------


class Bounded:
    """Refuse a body of more bytes than its route takes, as soon as that is known."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        most, too_long = _LIMITS.get(path, (SMALL_MOST, _TOO_MUCH))
        told = dict(scope.get("headers", ())).get(b"content-length", b"0")
        if told.isdigit() and (len(told) > 18 or int(told) > most):
            await _problem(413, too_long)(scope, receive, send)
            return
        read = 0

        async def counted() -> Any:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > most:
                raise HTTPException(413, too_long)
            return message

        await self._inner(scope, counted, send)


def _problem(status: int, error: str, problems: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(Problem(error=error, problems=problems or {}).model_dump(), status)


def _wrong_fields(_: Request, error: Any) -> JSONResponse:
    invalid = isinstance(error, InvalidConfig)
    found = error.problems if invalid else sentences_of(map(inner, error.errors()))
    return _problem(422, " ".join(found.values()), {name: s for name, s in found.items() if name})


def _refused(request: Request, error: Any) -> JSONResponse:
    status = 422 if error.status_code == 400 else error.status_code
    words = _WORDS[status] if status in _WORDS else str(error.detail)
    answer = _problem(status, words.replace("{}", f"{request.method} {request.url.path}"))
    answer.headers.update(error.headers or {})
    return answer


def _with(status: int) -> Callable[[Request, Any], JSONResponse]:
    return lambda _, error: _problem(status, str(error.args[0]))


def _no_run(_: Request, error: Any) -> JSONResponse:
    return _problem(404, f"{error} GET /api/runs lists the runs there are.")


def _no_database(_: Request, error: Any) -> JSONResponse:
    return _problem(503, said_of(error))


def _unforeseen(_: Request, error: Any) -> JSONResponse:
    return _problem(500, f"Internal error in Paceline ({type(error).__name__}). See its log.")


_TOO_LONG = f"The body has more than {BODY_MOST // 10**6} MB. Send fewer or shorter prompts."
_TOO_MUCH = f"The body has more than {SMALL_MOST // 1000} kB, the most that is accepted here."
_TOO_LARGE = f"The file has more than {MOST_BYTES // 10**6} MB, the most that Paceline reads."
_LIMITS = {  # bytes by path, and what is said of more
    IMPORT: (MOST_BYTES, _TOO_LARGE),
    **dict.fromkeys(WITH_PROMPTS, (BODY_MOST, _TOO_LONG)),
}
_WORDS = {
    404: "There is no {}. /api/openapi.json says what there is.",
    405: "There is no {}, though something is at that address. /api/openapi.json says what.",
    422: "The body is not valid JSON.",
}
HANDLERS: dict[type[Exception], Callable[[Request, Any], JSONResponse]] = {
    RequestValidationError: _wrong_fields,
    InvalidConfig: _wrong_fields,
    AnyHTTPException: _refused,
    BackendProblem: _with(422),
    InvalidEdit: _with(422),
    InvalidPin: _with(422),
    NotPinned: _with(404),
    InvalidComparison: _with(422),
    ComparisonNotFound: _with(404),
    CannotRepeat: _with(409),
    EngineProblem: _with(422),
    EngineNotFound: _with(404),
    StudyNotFound: _with(404),
    NothingToResume: _with(409),
    InvalidShare: _with(422),
    ShareNotFound: _with(404),
    RunNotFound: _no_run,
    AlreadyImported: _with(409),
    InvalidImport: _with(422),
    AlreadyFinished: _with(409),
    RunBusy: _with(409),
    EngineBusy: _with(409),
    jobs.QueueProblem: _with(503),
    InvalidSettings: _with(503),
    **dict.fromkeys(UNUSABLE, _no_database),
    Exception: _unforeseen,
}
for kind, handler in HANDLERS.items():
    api.add_exception_handler(kind, handler)
api.add_middleware(Bounded)
