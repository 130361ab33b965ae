"""The role that each route needs if sign-in is on, in one table.

The first rule that matches a request applies. A route without a rule is for admins only, and a test
fails until it has one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from services.base.roles import Role

PUBLIC = None  # needs no role
_PARAMETER = re.compile(r"\\\{(\w+)(:path)?\\\}")


class Rule(NamedTuple):
    """A method (WS: a websocket), a path as written in the routes, and the role that it needs."""

    method: str
    path: str
    role: Role | None


def needed(method: str, path: str) -> Role | None:
    """Return the role that a request needs; None if it is open to anyone."""
    method = "GET" if method == "HEAD" else method
    for rule, pattern in _COMPILED:
        if rule.method == method and pattern.fullmatch(path):
            return rule.role
    return Role.admin


def _pattern(path: str) -> re.Pattern[str]:
    """Return a pattern that matches a path. Parameters match no control characters, as in the
    routes."""
    return re.compile(
        _PARAMETER.sub(
            lambda match: r"[^\x00-\x1f]*" if match[2] else r"[^/\x00-\x1f]+", re.escape(path)
        )
    )


def _rules(role: Role | None, *lines: str) -> list[Rule]:
    return [Rule(method, path, role) for method, _, path in (line.partition(" ") for line in lines)]


def _below_api(lines: Iterable[str]) -> Iterator[str]:
    return (line.replace(" ", " /api", 1) for line in lines)


TASKS = (  # with and without /api
    "GET /tasks",
    "GET /tasks/{task_id}",
    "GET /inference/batch",
    "GET /inference/batch/{batch_id}",
    "GET /inference/batch/{batch_id}/output.jsonl",
    "GET /inference/batch/{batch_id}/output.csv",
)
NEW_TASKS = (
    "POST /inference/async",
    "POST /inference/batch",
    "POST /inference/batch.jsonl",
    "DELETE /tasks/{task_id}",
    "DELETE /inference/batch/{batch_id}",
)
PAGES = ("", "history", "compare", "study", "capacity", "live", "result", "glossary", "leaderboard")

RULES = (
    *_rules(
        PUBLIC,
        "GET /share/{token}",
        "GET /auth/login",
        "GET /auth/logout",
        "GET /oauth2callback",
        "GET /_stcore/health",
        "OPTIONS /_stcore/health",
    ),
    *_rules(
        Role.viewer,
        *(f"GET /{page}" for page in PAGES),
        "GET /engines",  # their answers say that they are for admins
        "GET /backends",
        "WS /_stcore/stream",
        "GET /_stcore/host-config",
        "GET /_stcore/bidi-components/{path:path}",
        "GET /media/{file_id:path}",
        "GET /component/{path:path}",
        "GET /static/{path:path}",
        "GET /favicon.png",
        "GET /manifest.json",
        "GET /metrics",  # a token works, too
        "GET /api/openapi.json",
        "GET /api/runs",
        "GET /api/runs/{run_id}",
        "GET /api/runs/{run_id}/requests.csv",
        "GET /api/runs/{run_id}/slices",
        "GET /api/runs/{run_id}/scenario",
        "GET /api/baselines",
        "GET /api/comparisons/{comparison_id}",
        "GET /api/comparisons/{comparison_id}/scenario",
        "GET /api/studies",
        "GET /api/studies/{study_id}",
        "GET /api/studies/{study_id}/report",
        "GET /api/studies/{study_id}/scenario",
        "GET /api/capacities",
        "GET /api/capacities/{capacity_id}",
        "GET /api/capacities/{capacity_id}/scenario",
        "GET /api/engines",
        "GET /api/servers",
        "GET /api/shares",
        "POST /api/shares",
        *TASKS,  # only the caller's own tasks
        *_below_api(TASKS),
    ),
    *_rules(
        Role.runner,
        "POST /api/runs",
        "POST /api/comparisons",
        "POST /api/runs/{run_id}/cancel",  # one's own runs, see jobs.may_cancel
        "POST /api/comparisons/{comparison_id}/cancel",
        *NEW_TASKS,
        *_below_api(NEW_TASKS),
    ),
    *_rules(
        Role.runner,
        "GET /tokens",
        "GET /batches",
        "PUT /_stcore/upload_file/{session_id}/{file_id}",  # prompts of runs and tasks
        "DELETE /_stcore/upload_file/{session_id}/{file_id}",
    ),
    *_rules(
        Role.admin,
        "POST /api/runs/{run_id}/more",
        "POST /api/import",
        "PUT /api/baselines/{kind}/{value:path}",
        "DELETE /api/baselines/{kind}/{value:path}",
        "POST /api/studies",
        "POST /api/studies/plan",
        "DELETE /api/studies/{study_id}",
        "POST /api/studies/{study_id}/cancel",
        "POST /api/studies/{study_id}/resume",
        "POST /api/capacities",
        "POST /api/capacities/{capacity_id}/cancel",
        "POST /api/capacities/{capacity_id}/resume",
        "DELETE /api/capacities/{capacity_id}",
        "POST /api/scenarios",
        "POST /api/engines",
        "GET /api/engines/{engine_id}",  # with its log
        "POST /api/engines/{engine_id}/stop",
        "PUT /api/servers/{name:path}",
        "DELETE /api/servers/{name:path}",
        "DELETE /api/shares/{token}",
        "GET /api/tokens",
        "POST /api/tokens",
        "DELETE /api/tokens/{token_id}",
    ),
)
_COMPILED = [(rule, _pattern(rule.path)) for rule in RULES]
