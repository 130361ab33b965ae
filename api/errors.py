"""Errors of a request: the status, a sentence, and one for each invalid field."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException as AnyHTTPException

from db.database import UNUSABLE, message_of
from db.runs import RunNotFound
from services.ask.problems import InvalidConfig, sentences_of
from services.base.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from services.studies.study_config import inner


class Problem(BaseModel):
    """What is wrong, as sentences."""

    error: str
    problems: dict[str, str] = Field({}, description="A sentence for each invalid field")


def error_responses(**codes: str) -> dict[int | str, dict[str, Any]]:
    return {
        int(code[1:]): {"model": Problem, "description": words} for code, words in codes.items()
    }


def problem(status: int, error: str, problems: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(Problem(error=error, problems=problems or {}).model_dump(), status)


def _wrong_fields(_: Request, error: Any) -> JSONResponse:
    invalid = isinstance(error, InvalidConfig)
    problems = error.problems if invalid else sentences_of(_found(error.errors()))
    return problem(
        422, " ".join(problems.values()), {name: s for name, s in problems.items() if name}
    )


def _found(errors: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """Yield pydantic's errors without those of lists that are only too short because their entries
    are invalid."""
    within = {error["loc"][:end] for error in errors for end in range(len(error["loc"]))}
    for error in errors:
        if error["type"] != "too_short" or error["loc"] not in within:
            yield _relative_to_part(error)


def _relative_to_part(problem: Any) -> dict[str, Any]:
    """Return a pydantic error with its `loc` relative to the part of the body that it is about; for
    a list of prompts, the field followed by the number of the prompt."""
    path = [part for part in problem["loc"] if part != "body"]
    match path:
        case []:
            return dict(problem)
        case ["list" | "object", *rest]:
            match [part for part in rest if part != "tasks"]:
                case [int(number), str(field), *_]:
                    return {**problem, "loc": (field, number)}
                case [int(number)]:
                    field = "" if problem["type"] == "value_error" else "prompt"
                    return {**problem, "loc": (field, number)}
            return {**problem, "loc": tuple(rest) or ("tasks",)}
    return inner(problem)


def _http_error(request: Request, error: Any) -> JSONResponse:
    status = 422 if error.status_code == 400 else error.status_code
    words = _WORDS[status] if status in _WORDS else str(error.detail)
    answer = problem(status, words.replace("{}", f"{request.method} {request.url.path}"))
    answer.headers.update(error.headers or {})
    return answer


def _handler(status: int) -> Callable[[Request, Any], JSONResponse]:
    return lambda _, error: problem(status, str(error.args[0]))


def _no_run(_: Request, error: Any) -> JSONResponse:
    return problem(404, f"{error} GET /api/runs lists all runs.")


def _no_database(_: Request, error: Any) -> JSONResponse:
    return problem(503, message_of(error))


def _unforeseen(_: Request, error: Any) -> JSONResponse:
    return problem(500, f"Internal error in Paceline ({type(error).__name__}). See its log.")


_WORDS = {
    404: "There is no {}. /api/openapi.json lists all routes.",
    405: "{} is not allowed. /api/openapi.json lists the allowed methods.",
    422: "The body is not valid JSON.",
}
HANDLERS: dict[type[Exception], Callable[[Request, Any], JSONResponse]] = {
    RequestValidationError: _wrong_fields,
    InvalidConfig: _wrong_fields,
    AnyHTTPException: _http_error,
    RunNotFound: _no_run,
    Forbidden: _handler(403),
    Invalid: _handler(422),
    NotFound: _handler(404),
    Conflict: _handler(409),
    Unavailable: _handler(503),
    **dict.fromkeys(UNUSABLE, _no_database),
    Exception: _unforeseen,
}
