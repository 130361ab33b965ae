"""Authentication if sign-in is on, in front of pages, API, websocket and shares alike.

People are identified by the cookie that Streamlit signs after they have signed in with the
provider, programs by a token (`Authorization: Bearer`). `access` lists what each role may do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocketClose

from db import tokens
from db.database import UNUSABLE, message_of, opened
from db.tokens import Token
from services.base.roles import TERMINAL, Person, Role, headers_of, role_of
from services.report.export import notice_html, policy_of
from web.access import needed
from web.security import Scope

OURS = b"x-paceline-"
LOGOUT = "/auth/logout"


class Gate:
    """Middleware that checks who sent a request and whether their role allows it. `email_of`
    returns the e-mail address in a request's cookies, or None; `login` returns the path for signing
    in."""

    def __init__(
        self,
        inner: Any,
        env: Mapping[str, str],
        email_of: Callable[[Mapping[str, str]], str | None],
        login: Callable[[], str],
    ) -> None:
        self._inner, self._env, self._email_of, self._login = inner, dict(env), email_of, login

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._inner(scope, receive, send)
            return
        method = "WS" if scope["type"] == "websocket" else scope["method"]
        role = needed(method, scope["path"])
        try:
            person = await self._person(scope)
        except UNUSABLE as error:
            await JSONResponse({"error": message_of(error), "problems": {}}, 503)(
                scope, receive, send
            )
            return
        if role is None or (person and person.role and person.role >= role):
            _set_person_headers(scope, person)
            await self._inner(scope, receive, send)
            return
        refused = WebSocketClose() if method == "WS" else self._refusal(scope, person, role)
        await refused(scope, receive, send)

    async def _person(self, scope: Scope) -> Person | None:
        """Return who sent a request; None if unknown. Tokens are only accepted for the API and
        /metrics."""
        connection = HTTPConnection(scope)
        kind, _, secret = connection.headers.get("authorization", "").partition(" ")
        if kind:
            if kind.lower() != "bearer" or not _is_api(scope["path"]):
                return None
            token = await run_in_threadpool(lambda: tokens.find(opened(), secret.strip()))
            return self._of_token(token) if token else None
        email = self._email_of(connection.cookies)
        return Person(email, role_of(email, self._env)) if email else None

    def _of_token(self, token: Token) -> Person:
        """The person of a token. A token made by a user has at most that user's current role; one
        made in a terminal, where the database's password is readable, keeps its role."""
        person = tokens.person_of(token)
        if token.made_by is None or token.made_by.endswith(TERMINAL):
            return person
        makers = role_of(token.made_by, self._env)
        return person._replace(role=min(Role[token.role], makers) if makers else None)

    def _refusal(self, scope: Scope, person: Person | None, role: Role) -> Response:
        if not _is_api(scope["path"]):
            if person is None:
                sentence = "This Paceline server is for people with an account."
                return _page(401, "Sign in", sentence, ("Sign in", self._login()))
            other = ("Sign in with another account", LOGOUT)
            return _page(403, "You cannot open this page.", _role_problem(person, role), other)
        if person is None:
            words = (
                "Sign in, or send a valid token as Authorization: Bearer TOKEN; `paceline token "
                "create` creates one."
            )
            return _problem(401, words, {"WWW-Authenticate": "Bearer"})
        return _problem(403, _role_problem(person, role))


def _is_api(path: str) -> bool:
    """Whether the path is for programs, not people."""
    alone = ("/api", "/metrics", "/tasks")
    return path in alone or path.startswith(("/api/", "/tasks/", "/inference/"))


def _set_person_headers(scope: Scope, person: Person | None) -> None:
    """Pass on who sent the request, in headers that replace any of that name in the request
    itself."""
    headers = [entry for entry in scope["headers"] if not entry[0].lower().startswith(OURS)]
    added = headers_of(person) if person else {}
    ours = [(name.encode(), value.encode()) for name, value in added.items()]
    scope["headers"] = [*headers, *ours]


def _role_problem(person: Person, role: Role) -> str:
    has = f"has the role {person.role.name}" if person.role else "has no role here"
    return f"This requires the role {role.name}, but {person.name} {has}. Ask an admin."


def _problem(status: int, words: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": words, "problems": {}}, status, headers=headers)


def _page(status: int, title: str, sentence: str, link: tuple[str, str]) -> Response:
    page = notice_html(title, sentence, link)
    headers = {"Content-Security-Policy": policy_of(page), "Cache-Control": "no-store"}
    return Response(page, status, media_type="text/html", headers=headers)


def email_in(claims: str | bytes | None) -> str | None:
    """Return the e-mail address in the signed cookie's claims, in lower case, since runs and tasks
    are stored under it however the provider writes it; None if there is none, or the provider says
    that it is not verified."""
    try:
        values = json.loads(claims) if claims else None
    except ValueError:
        return None
    if not isinstance(values, dict) or values.get("email_verified") is False:
        return None
    email = values.get("email")
    if not isinstance(email, str) or not values.get("is_logged_in"):
        return None
    return email.strip().lower() or None
