"""Units and digits, at the edge only: inside, times are seconds and lengths are tokens."""

from __future__ import annotations

from collections.abc import Callable

NOTHING = "–"  # not measured, which is not zero


def show(value: float | None, unit: str) -> str:
    """Return a value with its unit as people read it; None becomes a dash."""
    if value is None:
        return NOTHING
    shown = _SHOWN.get(unit)
    return shown(value) if shown else f"{significant(value)} {unit}"


def significant(value: float, digits: int = 3) -> str:
    """Return `value` with so many digits that matter, without an exponent: 0.0123, 4.56, 12,300."""
    if value == 0:
        return "0"
    size = abs(value)
    before = len(str(int(size))) if size >= 1 else 0
    if before >= digits:
        return f"{value:,.0f}"
    lead = (
        0
        if before
        else len(f"{size:.12f}".split(".")[1]) - len(f"{size:.12f}".split(".")[1].lstrip("0"))
    )
    return f"{value:,.{digits - before + lead}f}"


def seconds(value: float) -> str:
    """Return a time: 850 µs, 12.3 ms, 4.56 s, 2 min 05 s, 1 h 03 min."""
    size = abs(value)
    if 0 < size < 0.001:
        return f"{significant(value * 1e6)} µs"
    if 0 < size < 1:
        return f"{significant(value * 1e3)} ms"
    if size < 120:
        return f"{significant(value)} s"
    if size < 7200:
        return f"{int(value // 60)} min {int(value % 60):02} s"
    return f"{int(value // 3600)} h {int(value % 3600 // 60):02} min"


def dollars(value: float) -> str:
    """Return a price: $0.00042, $1.25."""
    return f"${value:,.2f}" if value >= 1 or value == 0 else f"${significant(value, 2)}"


def share(value: float) -> str:
    """Return a share between 0 and 1 as per cent."""
    return f"{significant(value * 100)} %"


def count(value: float) -> str:
    """Return a count; a mean of counts keeps one digit."""
    return f"{value:,.0f}" if float(value).is_integer() or value >= 1000 else f"{value:,.1f}"


_SHOWN: dict[str, Callable[[float], str]] = {
    "s": seconds,
    "$": dollars,
    "USD": dollars,
    "share": share,
    "tokens": count,
    "count": count,
    "": significant,
}
