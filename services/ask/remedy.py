"""What to change in a request that a server rejects: its error message names the field."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from services.ask.address import InvalidAddress, parse_address
from services.ask.config import RunConfig
from services.ask.measurement import Measurement, Run
from services.ask.measurements import as_table

REFUSED = (400, 422)
VERSIONED = re.compile(r"/v\d+[a-z0-9]*$")
_UNSUPPORTED = re.compile(
    r"(?i)unsupported|not supported|unknown|unrecogni[sz]ed|unexpected|not permitted|not allowed|"
    r"extra|forbidden"
)


@dataclass(frozen=True, slots=True)
class Remedy:
    """`label`: the text of its button. `changes`: the fields of a run to change, with their new
    values."""

    label: str
    changes: dict[str, Any]


def remedy(
    error: str, status: int | None, config: RunConfig, base_url: str | None = None
) -> Remedy | None:
    """Return a change that may help after a server answered `status` with the message `error`, or
    None. `base_url`: the address of the request, unless it included an endpoint."""
    if status == 404 and base_url and not VERSIONED.search(base_url):
        return Remedy(f"Use {base_url}/v1", {"base_url": f"{base_url}/v1"})
    if status not in REFUSED:
        return None
    for rule in RULES:
        if match := rule(error, config, base_url):
            return match
    return None


def of_run(run: Run, measurements: Sequence[Measurement]) -> Remedy | None:
    """Return a change that may help a run whose requests were rejected, for the first request whose
    error suggests one."""
    base_url = run.config.base_url
    if base_url is not None:
        with suppress(InvalidAddress):
            address = parse_address(base_url)
            base_url = None if address.endpoint or address.query else address.base_url
    table = as_table(measurements)
    failed = table.where(table.are("failed") & ~table.texts("error").are(None))
    errors, status = failed.texts("error"), failed.numbers("http_status")
    pairs = np.column_stack((errors.codes, np.nan_to_num(status, nan=0.0)))
    different, first = np.unique(pairs, axis=0, return_index=True)
    for code, number in different[np.argsort(first)].astype(int).tolist():
        if found := remedy(errors.words[code] or "", number or None, run.config, base_url):
            return found
    return None


def _length_name(error: str, config: RunConfig, _: str | None) -> Remedy | None:
    for name in ("max_completion_tokens", "max_tokens"):
        other = "max_tokens" if name == "max_completion_tokens" else "max_completion_tokens"
        first = re.search(rf"(?<!\w){other}(?!\w)", error)
        if first and _mentions(error, name) and "max_tokens" not in config.omit:
            at_first = first.start() < error.find(name)
            if at_first and config.max_tokens_field != name:
                return Remedy(f"Send {name} instead of {other}", {"max_tokens_field": name})
    return None


def _temperature_and_top_p(error: str, config: RunConfig, _: str | None) -> Remedy | None:
    named = _mentions(error, "temperature") and _mentions(error, "top_p")
    sent = config.sent_temperature is not None and config.sent_top_p is not None
    return _omit("top_p", config) if named and sent else None


def _omittable_fields(error: str, config: RunConfig, _: str | None) -> Remedy | None:
    for name, sent in (
        ("stream_options", "stream_options" not in config.omit),
        ("temperature", config.sent_temperature is not None),
        ("top_p", config.sent_top_p is not None),
        ("max_tokens", "max_tokens" not in config.omit and _UNSUPPORTED.search(error)),
    ):
        if sent and _mentions(error, name):
            return _omit(name, config)
    return None


def _other_fields(error: str, config: RunConfig, _: str | None) -> Remedy | None:
    if config.seed is not None and _mentions(error, "seed"):
        return Remedy("Leave seed out", {"seed": None})
    if config.ignore_eos and _mentions(error, "ignore_eos"):
        return Remedy("Leave ignore_eos out", {"ignore_eos": False})
    if config.min_tokens and _mentions(error, "min_tokens"):
        return Remedy("Leave min_tokens out", {"min_tokens": None})
    for name in config.extra_body:
        if _mentions(error, name):
            rest = {key: value for key, value in config.extra_body.items() if key != name}
            return Remedy(f"Leave {name[:40]} out", {"extra_body": rest})
    return None


def _chat_template(error: str, config: RunConfig, base_url: str | None) -> Remedy | None:
    text = config.dialect == "completions"
    if text or not base_url or not re.search(r"(?i)chat[ _-]?template", error):
        return None
    return Remedy("Send the prompt as text, to /completions", {"dialect": "completions"})


def _omit(name: str, config: RunConfig) -> Remedy:
    return Remedy(f"Leave {name} out", {"omit": (*config.omit, name)})


def _mentions(error: str, field: str) -> bool:
    return bool(re.search(rf"(?i)(?<!\w){re.escape(field)}(?!\w)", error))


Rule = Callable[[str, RunConfig, str | None], Remedy | None]
RULES: tuple[Rule, ...] = (
    _length_name,
    _temperature_and_top_p,
    _omittable_fields,
    _other_fields,
    _chat_template,
)
