"""What a person may be told went wrong: one tree, so that each door translates it once.

    PacelineError       a sentence that says what is wrong and what to do
    ├── Invalid         what was asked for cannot be: change the request     API 422
    ├── NotFound        there is no such run, engine, study, page            API 404
    ├── Conflict        it is there, and not in a state for this             API 409
    └── Unavailable     the queue, the database or the settings are not      API 503

The terminal prints the sentence and exits with 2; a page shows it (`show_error`). An exception that
is not in this tree is a fault of ours, and is told without its text: that may hold a key.
"""

from __future__ import annotations


class PacelineError(Exception):
    """The root: its first argument is the sentence."""


class Invalid(PacelineError, ValueError):
    """What was asked for cannot be."""


class NotFound(PacelineError, LookupError):
    """There is no such thing."""


class Conflict(PacelineError, ValueError):
    """It is there, and not in a state for what is asked."""


class Unavailable(PacelineError, RuntimeError):
    """Something that Paceline itself needs cannot be used now."""
