"""Who may do what where people sign in: three roles, each of which may do what the ones before may.

viewer   looks at runs, comparisons and studies, and shares them
runner   starts runs and comparisons against servers that an admin saved
admin    saves servers, starts engines, changes and deletes anybody's runs, makes tokens
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from services.base.errors import Unavailable

SIGN_IN = "PACELINE_SIGN_IN"


class Role(IntEnum):
    """A role; the higher one may do all that the lower ones may."""

    viewer = 1
    runner = 2
    admin = 3


VARIABLES = {  # lists of e-mail addresses and @domains, separated by commas
    Role.admin: "PACELINE_ADMINS",
    Role.runner: "PACELINE_RUNNERS",
    Role.viewer: "PACELINE_VIEWERS",
}


class InvalidSignIn(Unavailable):
    """Settings of the sign-in that let nobody in, in a sentence."""


def sign_in(env: Mapping[str, str]) -> bool:
    """Return whether people must sign in.

    Raises:
        InvalidSignIn: the setting is neither on nor off, or it is on and nobody is an admin.
    """
    value = env.get(SIGN_IN, "").strip().lower()
    if value in ("", "off"):
        return False
    if value != "on":
        raise InvalidSignIn(f"{SIGN_IN} is {value[:80]!r}, but it can be on or off.")
    if not _listed(env, Role.admin):
        raise InvalidSignIn(
            f"{SIGN_IN} is on, but nobody is an admin. Put the e-mail address of at least one into "
            f"{VARIABLES[Role.admin]}."
        )
    return True


def role_of(email: str, env: Mapping[str, str]) -> Role | None:
    """Return the highest role that the settings give to an e-mail address, None: none. It is
    listed itself, or by its domain: @example.org."""
    email = email.strip().lower()
    name, at, domain = email.rpartition("@")
    if not (name and at and domain):
        return None
    names = {email, f"@{domain}"}
    return next((role for role in VARIABLES if names & _listed(env, role)), None)


def _listed(env: Mapping[str, str], role: Role) -> set[str]:
    entries = env.get(VARIABLES[role], "").split(",")
    return {entry.strip().lower() for entry in entries if entry.strip()}
