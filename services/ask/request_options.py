"""Extra fields and headers of a request, as entered by the user.

They are stored and exported with the run, so they must not hold secrets, only the names of
variables with them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from services.base.secret_patterns import holds_key, names_secret
from services.base.surrogates import join_surrogates

BODY_BYTES = 10_000  # of all extra fields, as JSON
MAX_LEVELS = 20  # of lists and objects: deeper ones cannot be serialized again
MAX_HEADERS = 20
VALUE_CHARACTERS = 2000
VARIABLE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VARIABLE_VALUE = re.compile(r"((Bearer|Basic|Token|Api-?Key|Key) )?\$[A-Za-z_][A-Za-z0-9_]*")
_SCHEMAS = {"properties", "patternProperties", "$defs", "definitions"}  # of names, not of values
# Request fields that Paceline sets, with the config field to use instead.
_OWN_FIELDS = {
    "model": "model",
    "messages": "prompt",
    "prompt": "prompt",
    "input": "prompt",
    "stream": None,
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "max_output_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "seed": "seed",
    "ignore_eos": "ignore_eos",
}
# Headers that the connection, the body or the measurement depends on.
_OWN_HEADERS = {
    "host",
    "content-length",
    "content-type",
    "content-encoding",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "accept",
    "accept-encoding",
    "proxy-authorization",
    "proxy-connection",
    "http2-settings",
}


def split_names(value: Any) -> Any:
    """Split names that are separated by commas or spaces, without duplicates; other values are
    unchanged."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple) or not all(isinstance(entry, str) for entry in value):
        return value
    return tuple(dict.fromkeys(name for entry in value for name in entry.replace(",", " ").split()))


def parse_fields(value: Any) -> Any:
    """Return extra request fields from a JSON object or its text.

    Raises:
        ValueError: it is not an object, is too long, or contains a secret or a field that
            Paceline sets.
    """
    if isinstance(value, str):
        value = _read(value) if value.strip() else {}
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError('must be a JSON object, such as {"min_p": 0.1}')
    try:
        size = len(json.dumps(value, allow_nan=False))
    except (ValueError, TypeError, RecursionError):
        raise ValueError(
            "must be a JSON object of finite numbers, strings, lists and objects"
        ) from None
    if size > BODY_BYTES:
        raise ValueError(f"must have at most {BODY_BYTES:,} characters of JSON")
    _check_sendable(value, MAX_LEVELS)
    for name in value:
        if name in _OWN_FIELDS:
            raise ValueError(f"must not contain {name!r}: {_alternative(name)}")
    _check_no_secret(value)
    return dict(value)


def parse_headers(value: Any) -> Any:
    """Return headers by name, from a JSON object, its text, or a list or lines of "Name: value".

    Raises:
        ValueError: a header cannot be sent, is set by Paceline, or contains a secret.
    """
    if value is None:
        return {}
    if isinstance(value, str):
        value = _read(value) if value.lstrip().startswith("{") else value.splitlines()
    if isinstance(value, list | tuple):
        value = dict(map(_header, filter(_is_not_blank, value)))
    if not isinstance(value, Mapping):
        raise ValueError('must be a JSON object, such as {"X-Route": "a"}')
    if len(value) > MAX_HEADERS:
        raise ValueError(f"must have at most {MAX_HEADERS} entries")
    if len({str(name).lower() for name in value}) < len(value):
        raise ValueError("must name each header once")
    for name, text in value.items():
        _check_header(name, text)
    return dict(value)


def variables(headers: Mapping[str, str]) -> tuple[str, ...]:
    """Return the distinct names of the variables in headers."""
    names = (name for value in headers.values() for name in VARIABLE.findall(value))
    return tuple(dict.fromkeys(names))


def _read(text: str) -> Any:
    if len(text) > 2 * BODY_BYTES:
        raise ValueError(f"must have at most {BODY_BYTES:,} characters of JSON")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError('must be a JSON object, such as {"min_p": 0.1}') from None


def _alternative(name: str) -> str:
    field = _OWN_FIELDS[name]
    return f"set {field} instead" if field else "Paceline always streams"


def _check_sendable(value: Any, levels: int) -> None:
    if isinstance(value, str) and join_surrogates(value) != value:
        raise ValueError("must not contain half of a surrogate pair")
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise ValueError("must not contain whole numbers of more than 64 bits")
    if isinstance(value, Mapping | list | tuple):
        if not levels:
            raise ValueError(f"must have at most {MAX_LEVELS} levels of lists and objects")
        inside = [*value, *value.values()] if isinstance(value, Mapping) else value
        for inner in inside:
            _check_sendable(inner, levels - 1)


def _check_no_secret(value: Any, schemas: bool = False) -> None:
    """Check that no field looks like a key. `schemas`: objects in it are JSON schemas of fields,
    which may be called password.

    Raises:
        ValueError: one does.
    """
    if isinstance(value, Mapping):
        for name, inner in value.items():
            describes = schemas and isinstance(inner, Mapping)
            if names_secret(str(name), "field") and not describes and _contains_text(inner):
                raise ValueError(
                    f"must not contain a key, and {str(name)[:40]!r} looks like one: send it as a "
                    "header that refers to a variable"
                )
            if holds_key(str(name)):
                raise ValueError("must not contain a key, but the name of a field looks like one")
            _check_no_secret(inner, name in _SCHEMAS)
    elif isinstance(value, list | tuple):
        for inner in value:
            _check_no_secret(inner)
    elif isinstance(value, str) and holds_key(value):
        raise ValueError("must not contain a key, but one of its texts looks like one")


def _contains_text(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_contains_text, value.values()))
    return any(map(_contains_text, value)) if isinstance(value, list | tuple) else _is_text(value)


def _is_text(value: Any) -> bool:
    """Whether a value is text that may be a secret, or a number such as a PIN."""
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _is_not_blank(line: Any) -> bool:
    return not isinstance(line, str) or bool(line.strip())


def _header(line: Any) -> tuple[str, str]:
    if not isinstance(line, str) or ":" not in line:
        raise ValueError('must be written as "Name: value"')
    name, _, value = line.partition(":")
    return name.strip(), value.strip()


def _check_header(name: Any, value: Any) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError("contain a name that is not valid for a header")
    if name.lower() in _OWN_HEADERS:
        raise ValueError(f"must not contain {name}, which Paceline sets itself")
    if not isinstance(value, str):
        raise ValueError(f"contain a value of {name} that is not text: write it in quotes")
    sendable = value.isascii() and value.isprintable()
    if not sendable or not 0 < len(value.strip()) <= VALUE_CHARACTERS:
        raise ValueError(
            f"contain a value of {name} that cannot be sent: it must be one line of ASCII, of at "
            f"most {VALUE_CHARACTERS:,} characters"
        )
    literal = not _VARIABLE_VALUE.fullmatch(value)
    if literal and (names_secret(name, "header") or holds_key(value)):
        raise ValueError(
            f"must not contain the secret of {name} itself, because they are stored with the run. "
            f"Put it in .env, such as PACELINE_URL_HEADER_KEY=…, and write {name}: "
            "$PACELINE_URL_HEADER_KEY"
        )
