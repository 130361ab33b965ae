"""The user of the command line, as recorded if sign-in is on."""

from __future__ import annotations

import getpass
import os

from services.base import roles
from services.base.roles import TERMINAL, Person, Role


def operator() -> Person | None:
    """Return the user of this terminal, who is an admin, since they can read the database's
    password; None if sign-in is off."""
    if not roles.sign_in(os.environ):
        return None
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        name = str(os.getuid())
    return Person(f"{name}{TERMINAL}", Role.admin)
