"""Errors to show to users: one hierarchy, which each interface translates in one place.

    PacelineError       a sentence that says what is wrong and what to do
    ├── Invalid         the request is invalid: change it                    API 422
    ├── Forbidden       someone else may do this: ask them                   API 403
    ├── NotFound        there is no such run, engine, study, page            API 404
    ├── Conflict        it exists, but not in a state for this               API 409
    └── Unavailable     the queue, database or settings cannot be used       API 503

The terminal prints the sentence and exits with 2; a page shows it (`show_error`). An exception that
is not in this tree is a bug, and is reported without its text, which may hold a key.
"""

from __future__ import annotations


class PacelineError(Exception):
    """The root: its first argument is the sentence."""


class Invalid(PacelineError, ValueError):
    """The request is invalid."""


class Forbidden(PacelineError, PermissionError):
    """The person who asks may not do this."""


class NotFound(PacelineError, LookupError):
    """What was requested does not exist."""


class Conflict(PacelineError, ValueError):
    """The state of what was requested does not allow the request."""


class Unavailable(PacelineError, RuntimeError):
    """Something that Paceline needs is unavailable."""
