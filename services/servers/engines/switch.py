"""PACELINE_ENGINES=off: nobody can start an engine, through any interface."""

from __future__ import annotations

from collections.abc import Mapping

VARIABLE = "PACELINE_ENGINES"


def turned_off(env: Mapping[str, str]) -> str | None:
    """Return a sentence if engines are turned off here, or if the setting is neither on nor off;
    None if they may be started."""
    value = env.get(VARIABLE, "").strip()
    if value.lower() in ("", "on"):
        return None
    if value.lower() == "off":
        return (
            f"Starting engines is turned off on this Paceline ({VARIABLE}=off). Measure a server "
            "that is already running."
        )
    return (
        f"{VARIABLE} is {value[:80]!r}, but it must be on or off. No engine is started until then."
    )
