"""Validation errors as sentences: the field, what is wrong with it, the given value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from services.base.errors import Invalid

PARTS = ("body", "query", "path", "header")  # of a request
MAX_SENTENCES = 50  # about invalid fields: no config has more

Config = TypeVar("Config", bound=BaseModel)
Problem = Callable[[Any], Any]


class InvalidConfig(Invalid):
    """An invalid config. `problems` maps names of fields to sentences."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = dict(problems)


def validate(
    kind: type[Config], values: Mapping[str, Any], translate: Problem = lambda problem: problem
) -> Config:
    """Return a validated config. `translate` may change pydantic's error dicts.

    Raises:
        InvalidConfig: with a sentence for each invalid field.
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        raise InvalidConfig(sentences_of(map(translate, error.errors(include_url=False)))) from None


def sentences_of(problems: Iterable[Any]) -> dict[str, str]:
    """Map each invalid field to a sentence: the field, what is wrong, the given value.

    At most MAX_SENTENCES are returned. `problems` are pydantic's error dicts; in FastAPI's, `loc`
    begins with the part of the request. Errors of the config as a whole have the key "". A value is
    repeated only if it broke a rule about numbers or choices: other fields may hold a password.
    """
    sentences: dict[str, str] = {}
    for problem in problems:
        if len(sentences) == MAX_SENTENCES:
            sentences.setdefault("", "Other fields are wrong, too.")
            break
        path = [part for part in problem["loc"] if part not in PARTS]
        field = path[0][:80] if path and isinstance(path[0], str) else ""
        text = _sentence(problem)
        if not field and ": " in text:
            field, text = text.split(": ", 1)
        whole = "The body" if tuple(problem["loc"]) == ("body",) else "The run"
        sentences.setdefault(field, f"{field or whole}{_place(path)} {text.rstrip('.')}.")
    return sentences


def _place(path: list[Any]) -> str:
    """Return which entry of a list is wrong, and what in it; "" for a field without a list."""
    match path:
        case [_, int(number)]:
            return f" (entry {number + 1})"
        case [_, int(number), int(part), *_]:
            return f" (entry {number + 1}, value {part + 1})"
        case [_, int(number), part, *_]:
            return f" (entry {number + 1}, {str(part)[:80]})"
    return ""


def _sentence(problem: Any) -> str:
    kind, rule, value = problem["type"], problem.get("ctx", {}), problem.get("input")
    if kind not in _SENTENCES:
        return str(problem["msg"]).removeprefix("Value error, ")
    limits = {name: _number(v) if isinstance(v, float) else v for name, v in rule.items()}
    short = isinstance(value, int | float) or (isinstance(value, str) and len(value) <= 40)
    short = short and len(repr(value)) <= 40
    shown = f" (got {value!r})" if short and value != "" and kind not in _SILENT else ""
    return _SENTENCES[kind].format_map(limits) + shown


def _number(limit: float) -> str:
    """A limit without an exponent where possible: 1000000 rather than 1e+06."""
    return f"{limit:.0f}" if limit.is_integer() else f"{limit:g}"


_SENTENCES = {
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number with fewer digits",
    "int_from_float": "must be a whole number",
    "int_type": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "string_unicode": "contains an invalid Unicode character",
    "string_too_long": "must be at most {max_length} characters long",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "named_tuple_type": "must be a list or an object",
    "string_too_short": "must be at least {min_length} characters long",
    "too_short": "must have {min_length} or more entries",
    "too_long": "must have at most {max_length} entries",
    "literal_error": "must be one of {expected}",
    "extra_forbidden": "is not a known field",
    "missing": "is missing",
    "json_invalid": "is not JSON",
    "dict_type": "must be a JSON object",
    "model_type": "must be a JSON object",
    "model_attributes_type": "must be a JSON object",
}
_SILENT = {  # the given value is not repeated
    "extra_forbidden",
    "string_unicode",
    "string_type",
    "tuple_type",
    "list_type",
    "named_tuple_type",
    "json_invalid",
    "missing",
    "dict_type",
    "model_type",
    "model_attributes_type",
}
