"""The HTTP API, mounted at /api. Its OpenAPI schema is at /api/openapi.json.

One file per noun, each with the shapes of its requests and responses. Every error is returned as an
`errors.Problem`: a sentence, and one for each invalid field.
"""

from __future__ import annotations

from fastapi import FastAPI

from api import (
    baselines,
    capacities,
    comparisons,
    engines,
    imports,
    inference,
    runs,
    scenarios,
    servers,
    shares,
    studies,
    tokens,
)
from api.bodies import Bounded, Route
from api.errors import HANDLERS, error_responses
from services import VERSION

api = FastAPI(
    title="Paceline",
    version=VERSION,
    description="Start runs, watch them, and read their results. Times are in seconds, lengths in "
    "tokens.",
    docs_url=None,  # FastAPI's pages load scripts from other sites
    redoc_url=None,
    redirect_slashes=False,
    servers=[{"url": "/api"}],
    responses=error_responses(
        _422="A field is invalid", _503="The database or the queue cannot be used"
    ),
)
api.router.route_class = Route
for noun in (
    runs,
    imports,
    baselines,
    comparisons,
    studies,
    capacities,
    scenarios,
    engines,
    servers,
    shares,
    tokens,
    inference,
):
    api.include_router(noun.router)
for kind, handler in HANDLERS.items():
    api.add_exception_handler(kind, handler)
api.add_middleware(Bounded)
