"""What to leave out of a request that a server refuses: its words name the field."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from services.ask.address import InvalidAddress, parse_address
from services.ask.config import RunConfig
from services.ask.measurement import Measurement, Run

REFUSED = (400, 422)
VERSIONED = re.compile(r"/v\d+[a-z0-9]*$")
_NOT_KNOWN = re.compile(
    r"(?i)unsupported|not supported|unknown|unrecogni[sz]ed|unexpected|not permitted|not allowed|"
    r"extra|forbidden"
)


@dataclass(frozen=True, slots=True)
class Remedy:
    """`changes`: fields of a run with the values that they should have. `label`: what that does,
    as a button says it."""

    label: str
    changes: dict[str, Any]


def remedy(
    error: str, status: int | None, config: RunConfig, base_url: str | None = None
) -> Remedy | None:
    """Return what may help where a server has answered with `status` and said `error`; None:
    nothing is known. `base_url`: where it was asked, if the address named no endpoint."""
    if status == 404 and base_url and not VERSIONED.search(base_url):
        return Remedy(f"Ask {base_url}/v1", {"base_url": f"{base_url}/v1"})
    if status not in REFUSED:
        return None
    for rule in RULES:
        if found := rule(error, config, base_url):
            return found
    return None


def of_run(run: Run, measurements: Sequence[Measurement]) -> Remedy | None:
    """Return what may help a run whose server refused requests, by the first that names it."""
    base_url = run.config.base_url
    if base_url is not None:
        with suppress(InvalidAddress):
            where = parse_address(base_url)
            base_url = None if where.endpoint or where.query else where.base_url
    refused = (m for m in measurements if m.status == "failed" and m.error)
    found = (remedy(m.error or "", m.http_status, run.config, base_url) for m in refused)
    return next((one for one in found if one is not None), None)


def _length_name(error: str, config: RunConfig, _: str | None) -> Remedy | None:
    for name in ("max_completion_tokens", "max_tokens"):
        other = "max_tokens" if name == "max_completion_tokens" else "max_completion_tokens"
        first = re.search(rf"(?<!\w){other}(?!\w)", error)
        if first and _names(error, name) and "max_tokens" not in config.omit:
            at_first = first.start() < error.find(name)
            if at_first and config.max_tokens_field != name:
                return Remedy(f"Send {name} instead of {other}", {"max_tokens_field": name})
    return None


def _both(error: str, config: RunConfig, _: str | None) -> Remedy | None:
    named = _names(error, "temperature") and _names(error, "top_p")
    sent = config.sent_temperature is not None and config.sent_top_p is not None
    return _without("top_p", config) if named and sent else None


def _sampling(error: str, config: RunConfig, _: str | None) -> Remedy | None:
    for name, sent in (
        ("stream_options", "stream_options" not in config.omit),
        ("temperature", config.sent_temperature is not None),
        ("top_p", config.sent_top_p is not None),
        ("max_tokens", "max_tokens" not in config.omit and _NOT_KNOWN.search(error)),
    ):
        if sent and _names(error, name):
            return _without(name, config)
    return None


def _others(error: str, config: RunConfig, _: str | None) -> Remedy | None:
    if config.seed is not None and _names(error, "seed"):
        return Remedy("Leave seed out", {"seed": None})
    if config.ignore_eos and _names(error, "ignore_eos"):
        return Remedy("Leave ignore_eos out", {"ignore_eos": False})
    for name in config.extra_body:
        if _names(error, name):
            rest = {key: value for key, value in config.extra_body.items() if key != name}
            return Remedy(f"Leave {name[:40]} out", {"extra_body": rest})
    return None


def _chat_template(error: str, _: RunConfig, base_url: str | None) -> Remedy | None:
    if not base_url or not re.search(r"(?i)chat[ _-]?template", error):
        return None
    return Remedy(
        "Send the prompt as text, to /completions", {"base_url": f"{base_url}/completions"}
    )


def _without(name: str, config: RunConfig) -> Remedy:
    return Remedy(f"Leave {name} out", {"omit": (*config.omit, name)})


def _names(error: str, field: str) -> bool:
    return bool(re.search(rf"(?i)(?<!\w){re.escape(field)}(?!\w)", error))


Rule = Callable[[str, RunConfig, str | None], Remedy | None]
RULES: tuple[Rule, ...] = (_length_name, _both, _sampling, _others, _chat_template)
