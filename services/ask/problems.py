"""What is wrong with a config, as sentences: which field, what is wrong with it, what was given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from services.base.errors import Invalid

MOST_SENTENCES = 50  # about fields that are wrong: no config has more of its own

Config = TypeVar("Config", bound=BaseModel)
Problem = Callable[[Any], Any]


class InvalidConfig(Invalid):
    """A run that cannot be asked for. `problems` maps a field's name to a sentence."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = dict(problems)


def validate(
    kind: type[Config], values: Mapping[str, Any], of: Problem = lambda problem: problem
) -> Config:
    """Make a config of that kind; `of` turns one of pydantic's problems into another.

    Raises:
        InvalidConfig: with a sentence for each field that is wrong.
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        raise InvalidConfig(sentences_of(map(of, error.errors(include_url=False)))) from None


def sentences_of(problems: Iterable[Any]) -> dict[str, str]:
    """Map each wrong field to a sentence: which field, what is wrong, what was given.

    At most MOST_SENTENCES are said. `problems` are pydantic's error dicts; where FastAPI made them,
    `loc` names the part of the request first. What is wrong with the whole stands under "". A given
    value is said again only where a rule about numbers or words was broken: other fields may hold a
    password.
    """
    found: dict[str, str] = {}
    for problem in problems:
        if len(found) == MOST_SENTENCES:
            found.setdefault("", "More fields are wrong.")
            break
        place = [part for part in problem["loc"] if part not in ("body", "query", "path")]
        field = place[0][:80] if place and isinstance(place[0], str) else ""
        text = _sentence(problem)
        if not field and ": " in text:
            field, text = text.split(": ", 1)
        entry = f" (entry {place[1] + 1})" if len(place) > 1 and isinstance(place[1], int) else ""
        found.setdefault(field, f"{field or 'The run'}{entry} {text.rstrip('.')}.")
    return found


def _sentence(problem: Any) -> str:
    kind, rule, given = problem["type"], problem.get("ctx", {}), problem.get("input")
    if kind not in _SENTENCES:
        return str(problem["msg"]).removeprefix("Value error, ")
    limits = {name: f"{v:g}" if isinstance(v, float) else v for name, v in rule.items()}
    short = isinstance(given, int | float) or (isinstance(given, str) and len(given) <= 40)
    short = short and len(repr(given)) <= 40
    shown = f" (got {given!r})" if short and given != "" and kind not in _SILENT else ""
    return _SENTENCES[kind].format_map(limits) + shown


_SENTENCES = {
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number of fewer digits",
    "int_from_float": "must be a whole number",
    "int_type": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "string_unicode": "holds a character that is not text",
    "string_too_long": "must have at most {max_length} characters",
    "tuple_type": "must be a list",
    "too_long": "must have at most {max_length} entries",
    "literal_error": "must be one of {expected}",
    "extra_forbidden": "is not a known field",
    "missing": "is missing",
    "json_invalid": "is not JSON",
    "dict_type": "must be a JSON object",
    "model_type": "must be a JSON object",
    "model_attributes_type": "must be a JSON object",
}
_SILENT = {  # what was given is not said again
    "extra_forbidden",
    "string_unicode",
    "string_type",
    "tuple_type",
    "json_invalid",
    "missing",
    "dict_type",
    "model_type",
    "model_attributes_type",
}
