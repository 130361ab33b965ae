"""Request bodies:

JSON or the bytes of a file, up to the limit of the route. Bodies with an unknown field are refused:
a misspelled limit would be no limit.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, MutableMapping, Sequence
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from api.errors import error_responses, problem
from api.json_body import USUAL, InvalidBody, Most, TooManyEntries, read_json
from db import servers
from db.database import opened
from services.ask import unread
from services.ask.config import RunConfig, parse
from services.ask.only_saved import why_admin_only
from services.ask.workloads.lines import MAX_FILE_BYTES
from services.base.roles import Person, Role, person_in
from services.report.imports import MAX_BYTES

MAX_BODY = MAX_FILE_BYTES  # bytes of a request: as large as a prompt file may be
MAX_SMALL_BODY = 100_000  # bytes of a request without prompts
IMPORT = "/import"
SCENARIOS = "/scenarios"
BATCH = "/inference/batch"
BATCH_FILE = "/inference/batch.jsonl"
WITH_PROMPTS = ("/runs", "/comparisons", "/capacities", "/studies", "/studies/plan", SCENARIOS)
TASKS = ("/inference/async", BATCH, BATCH_FILE)
RunId = Annotated[int, Field(description="Number of the run")]


class Started(BaseModel):
    """The number and addresses of a new run, study or engine."""

    id: int
    url: str = Field(description="Its address in the API")
    page: str = Field(description="Its page in the browser")


def person_of(request: Request) -> Person | None:
    """Return the person who asks, as set by the gate; None if sign-in is off."""
    return person_in(request.headers)


By = Annotated[Person | None, Depends(person_of)]


def config_of(new: RunConfig) -> RunConfig:
    """Return the run that a body describes, with the fields of the saved server if its backend
    names one.

    Raises:
        BackendProblem: it names neither a backend nor a saved server.
        InvalidConfig: the server's fields and its own do not go together.
    """
    return parse(servers.expand(opened(), _values(new)))


def given(new: RunConfig, configs: Sequence[RunConfig] = ()) -> tuple[str, ...]:
    """Return the fields that a body sets to values other than their defaults."""
    return unread.given(_values(new), configs)


def check_read(bodies: Iterable[RunConfig], configs: Sequence[RunConfig]) -> None:
    """Check that each field of these bodies has an effect in one of the runs.

    Raises:
        InvalidConfig: with a sentence for each that has none.
    """
    unread.check(dict.fromkeys(name for new in bodies for name in given(new, configs)), configs)


def _values(new: RunConfig) -> dict[str, Any]:
    return {n: getattr(new, n) for n in RunConfig.model_fields if n in new.model_fields_set}


def json_body_route(**codes: str) -> dict[str, Any]:
    """Return the arguments of every route with a JSON body, with its own `codes` of refusals."""
    known = {"_413": "The body is too long", "_415": "The body is not JSON"}
    return {"dependencies": [Depends(only_json)], "responses": error_responses(**known | codes)}


def only_json(request: Request) -> None:
    """Refuse a body that is not declared as JSON: a form on another site's page could send it."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(415, "Send it as JSON, with Content-Type: application/json.")


def only_a_file(request: Request) -> None:
    """Refuse a content type that a form on another site's page could send."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/json", "application/octet-stream"):
        raise HTTPException(
            415, "Send the file's bytes, with Content-Type: application/octet-stream."
        )


def only_lines(request: Request) -> None:
    """Refuse a content type that a form on another site's page could send."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/jsonl", "application/x-ndjson", "application/octet-stream"):
        raise HTTPException(415, "Send the file's bytes, with Content-Type: application/jsonl.")


class Route(APIRoute):
    """A route that reads its body as a `Body`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def as_body(request: Request) -> Response:
            return await answer(Body(request.scope, request.receive))

        return as_body


class Body(Request):
    """A request whose JSON is checked and parsed in a thread, so that other requests are not
    delayed."""

    async def json(self) -> Any:
        try:
            return await run_in_threadpool(self._read, await self.body())
        except TooManyEntries as error:
            raise HTTPException(413, str(error)) from None
        except InvalidBody as error:
            raise HTTPException(422, str(error)) from None

    def _read(self, body: bytes) -> Any:
        """Return the JSON, which a runner may send. The gate sets the role (web/gate.py)."""
        read = read_json(body, _MOST.get(_path(self.scope), USUAL))
        by = person_in(self.headers)
        if (
            by
            and by.role == Role.runner
            and (sentence := why_admin_only(read, servers.list_all(opened())))
        ):
            raise HTTPException(403, sentence)
        return read


class Bounded:
    """Refuse a body that is longer than its route accepts, as soon as that is known."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        most, too_long = _LIMITS.get(_path(scope), (MAX_SMALL_BODY, _TOO_MUCH))
        length = dict(scope.get("headers", ())).get(b"content-length", b"0")
        if length.isdigit() and (len(length) > 18 or int(length) > most):
            await problem(413, too_long)(scope, receive, send)
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


def _path(scope: MutableMapping[str, Any]) -> str:
    path: str = scope.get("path", "")
    return path.removeprefix(scope.get("root_path", ""))


_TOO_LONG = f"The body is larger than {MAX_BODY // 10**6} MB. Send fewer or shorter prompts."
_TOO_MUCH = f"The body is larger than {MAX_SMALL_BODY // 1000} kB, the limit of this route."
_TOO_LARGE = f"The file is larger than {MAX_BYTES // 10**6} MB, the most that Paceline reads."
_LIMITS = {  # bytes by path, and the error for more
    IMPORT: (MAX_BYTES, _TOO_LARGE),
    **dict.fromkeys((*WITH_PROMPTS, *TASKS), (MAX_BODY, _TOO_LONG)),
}
_MOST = {BATCH: Most(200_000, 100_000, 60_000)}  # 10,000 prompts, each with some fields
