"""Who may do what if sign-in is on: three roles, each of which includes the ones before.

viewer   looks at runs, comparisons and studies, and shares them
runner   starts runs, comparisons and tasks on servers that an admin saved, and cancels their own
admin    saves servers, starts engines, changes and deletes anybody's runs, makes tokens
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple
from urllib.parse import quote, unquote

from services.base.errors import Unavailable

SIGN_IN = "PACELINE_SIGN_IN"


class Role(IntEnum):
    """A role; each may do everything that lower ones may."""

    viewer = 1
    runner = 2
    admin = 3


class Person(NamedTuple):
    """The person who asks: an e-mail address or a token's name, and the role (None: no role).
    `token`: the token's number, since two may have the same name; `maker`: who made it."""

    name: str
    role: Role | None
    token: int | None = None
    maker: str | None = None

    @property
    def caller(self) -> str:
        """Return a unique name."""
        return self.name if self.token is None else f"{self.name} {self.token}"


class Origin(NamedTuple):
    """Who started a run, a search or tasks, as stored with them: the name that people read, the
    caller, and the owner of the token that the caller is. It remains when the token is deleted."""

    started_by: str | None = None
    owner: str | None = None
    maker: str | None = None


NOBODY = Origin()


def origin_of(person: Person | None) -> Origin:
    """Return what is stored of the person who asks; None: sign-in is off."""
    if person is None:
        return NOBODY
    if person.token is None or person.maker is None:
        return Origin(person.name, person.caller)
    return Origin(f"{person.name} of {person.maker}", person.caller, person.maker)


def belongs_to(origin: Origin, caller: str) -> bool:
    """Whether something belongs to a caller: to a person if they or one of their tokens, including
    revoked ones, started it; to a token if it started it."""
    return caller in (origin.owner, origin.maker)


def whose_tasks(person: Person | None) -> str | None:
    """Return whose tasks a person sees; None: everybody's, for admins and if sign-in is off."""
    return None if person is None or person.role is Role.admin else person.caller


# Headers in which the gate tells the app who asks; clients cannot set them.
ROLE_HEADER, PERSON_HEADER = "x-paceline-role", "x-paceline-person"
TOKEN_HEADER, MAKER_HEADER = "x-paceline-token", "x-paceline-maker"
TERMINAL = " (terminal)"  # ends the name of a terminal's user, who is always an admin


VARIABLES = {  # lists of e-mail addresses and @domains, separated by commas
    Role.admin: "PACELINE_ADMINS",
    Role.runner: "PACELINE_RUNNERS",
    Role.viewer: "PACELINE_VIEWERS",
}


class InvalidSignIn(Unavailable):
    """The settings of sign-in are invalid; the message is a sentence."""


def sign_in(env: Mapping[str, str]) -> bool:
    """Return whether people must sign in.

    Raises:
        InvalidSignIn: the setting is neither on nor off, or it is on without an admin.
    """
    value = env.get(SIGN_IN, "").strip().lower()
    if value in ("", "off"):
        return False
    if value != "on":
        raise InvalidSignIn(f"{SIGN_IN} is {value[:80]!r}, but it must be on or off.")
    if not _listed(env, Role.admin):
        raise InvalidSignIn(
            f"{SIGN_IN} is on, but nobody is an admin. Put at least one e-mail address in "
            f"{VARIABLES[Role.admin]}."
        )
    return True


def headers_of(person: Person) -> dict[str, str]:
    """Return the headers that identify a person."""
    if person.role is None:
        return {}
    headers = {ROLE_HEADER: person.role.name, PERSON_HEADER: quote(person.name, safe="@ ")}
    if person.token is not None:
        headers[TOKEN_HEADER] = str(person.token)
    if person.maker is not None:
        headers[MAKER_HEADER] = quote(person.maker, safe="@ ")
    return headers


def person_in(headers: Mapping[str, str]) -> Person | None:
    """Return the person who asks, from the headers set by the gate (with names in any case); None:
    sign-in is off."""
    lowered = {name.lower(): value for name, value in headers.items()}
    role = lowered.get(ROLE_HEADER, "")
    if role not in Role.__members__:
        return None
    token = lowered.get(TOKEN_HEADER, "")
    number = int(token) if token.isdecimal() else None
    maker = unquote(lowered.get(MAKER_HEADER, "")) or None
    return Person(unquote(lowered.get(PERSON_HEADER, "")), Role[role], number, maker)


def role_of(email: str, env: Mapping[str, str]) -> Role | None:
    """Return the highest role that the settings give to an e-mail address, listed itself or by its
    domain (@example.org); None: no role."""
    email = email.strip().lower()
    name, at, domain = email.rpartition("@")
    if not (name and at and domain):
        return None
    names = {email, f"@{domain}"}
    return next((role for role in VARIABLES if names & _listed(env, role)), None)


def _listed(env: Mapping[str, str], role: Role) -> set[str]:
    entries = env.get(VARIABLES[role], "").split(",")
    return {entry.strip().lower() for entry in entries if entry.strip()}
