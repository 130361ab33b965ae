"""Measure and compare LLM servers.

The same actions as in the browser, in a terminal: `paceline run|compare|study|engine|list|share|…`.

Exit codes: 0 success; 1 the run failed, was cancelled or interrupted, or a condition of --fail-if
or --slo does not hold or cannot be evaluated, or Paceline itself failed, or an error came after
something was started or stored; 2 wrong usage: nothing was done. PACELINE_DEBUG=1 shows the
traceback of an internal error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from cli.commands import COMMANDS, GROUPS
from cli.output import FAILED, note, refuse
from cli.parser import parser, program
from cli.problems import Unfinished, UsageError
from db.database import UNUSABLE, message_of, opened, retry_locked
from db.runs import RunNotFound
from jobs.retry import with_retries
from services.base import settings
from services.base.errors import PacelineError

DEBUG = "PACELINE_DEBUG"  # if set, an unexpected error is shown with its traceback


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    summary = (__doc__ or "").splitlines()[0]
    options, unknown = parser(summary, COMMANDS, GROUPS).parse_known_args(arguments)
    try:
        _check(unknown)
        settings.load()
        if options.opens:
            retry_locked(opened(), _until_unlocked)
        code: int = options.call(options)
    except Unfinished as error:
        return refuse(str(error), FAILED)
    except RunNotFound as error:
        return refuse(f"{error} `{program()} list` lists all runs.")
    except UNUSABLE as error:
        return refuse(message_of(error))
    except PacelineError as error:
        return refuse(str(error.args[0]))
    except KeyboardInterrupt:
        return refuse("Stopped.", FAILED)
    except Exception as error:  # unexpected
        if os.environ.get(DEBUG):
            raise
        return refuse(f"{_cause(error)} Set {DEBUG}=1 to see the traceback.", FAILED)
    return code


def _until_unlocked(begin: Callable[[], object]) -> None:
    with_retries(begin, "The database cannot be written", lambda line: note(f"{line}."))


def _check(unknown: Sequence[str]) -> None:
    if sys.stdout is None:
        raise UsageError("Standard output is closed, so nothing can be printed.")
    names = [word.partition("=")[0] for word in unknown if word.startswith("-")]
    if unknown:  # the words after a flag are not repeated: one may be a key
        raise UsageError(f"Unknown argument: {', '.join(names) or repr(unknown[0])}. See --help.")


def _cause(error: Exception) -> str:
    """Describe an error without repeating text that may contain a key or a prompt."""
    if isinstance(error, OSError) and error.strerror:
        return f"The operating system reports: {error.strerror}."
    return f"Internal error in Paceline ({type(error).__name__})."
