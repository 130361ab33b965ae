"""What is wrong with a command line, in a sentence that names its flags.

Messages about invalid fields (`services/ask/problems.py`) are reworded here to name the flags. A
flag without its value is refused in `parser.py`, an unknown flag in `__init__.py`.
"""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from cli.fields import FIELDS, in_flags
from db.database import UNUSABLE, message_of
from services.analysis.comparison_design import InvalidComparison
from services.ask.backends import BackendProblem
from services.ask.flag import flag
from services.ask.problems import InvalidConfig
from services.ask.run_names import InvalidEdit
from services.base.errors import Invalid, PacelineError
from services.servers.engines import EngineProblem
from services.studies.feasible import NothingToResume


class UsageError(Invalid):
    """The command line is invalid; the message is a sentence."""


class Unfinished(Exception):
    """A command failed after it had started something: its exit code must not say that nothing was
    done, as for a PacelineError. The message is a sentence."""


@contextmanager
def once_started(what: str) -> Iterator[None]:
    """Turn an error that is raised while `what` was started is followed into `Unfinished`."""
    try:
        yield
    except UNUSABLE as error:
        raise Unfinished(f"Lost contact with {what}. {message_of(error)}") from None
    except PacelineError as error:  # such as: it was deleted meanwhile, or there is no supervisor
        raise Unfinished(str(error.args[0])) from None


@contextmanager
def naming_flags(options: Namespace) -> Iterator[None]:
    """Turn an error into a `UsageError` that names flags instead of fields."""
    try:
        yield
    except InvalidConfig as error:
        raise UsageError(sentences(error.problems, options)) from None
    except InvalidComparison as error:
        raise UsageError(in_flags(str(error))) from None
    except BackendProblem as error:
        raise UsageError(f"{flag(error.field)}: {in_flags(str(error))}") from None
    except EngineProblem as error:
        raise UsageError(in_flags(str(error))) from None
    except NothingToResume as error:
        raise UsageError(str(error).replace("failed=true", "--failed")) from None
    except InvalidEdit as error:
        about = re.search("name|note|tag", str(error))
        raise UsageError(f"--{about[0]}: {error}" if about else str(error)) from None


def sentences(problems: Mapping[str, str], options: Namespace) -> str:
    """Return the sentences of an `InvalidConfig`, one per line, with flags instead of fields."""
    lines, url = [], "://" in (getattr(options, "backend", None) or "")
    for name, sentence in problems.items():
        typed = "backend" if name == "base_url" and url else name
        known = name in FIELDS
        text = flag(typed) + sentence.removeprefix(name) if known else sentence
        lines.append(in_flags(text))
    return "\n".join(lines)


def distinct_runs(run_ids: Sequence[int]) -> Sequence[int]:
    """Return the numbers of runs; refuse them if one is named twice."""
    if twice := [run_id for run_id in run_ids if run_ids.count(run_id) > 1]:
        raise UsageError(f"Run {twice[0]} is named twice.")
    return run_ids
