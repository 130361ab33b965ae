"""Format values with units for display. Everywhere else, times are seconds and lengths are
tokens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from math import inf, isfinite, isnan

NOTHING = "–"  # not measured, which is not zero
ENDLESS = "∞"
_UNITS = "µs|ms|s|min|h|(?:tokens|requests)/s|cores?|[kMGT]i?B"
_BEFORE_UNIT = re.compile(rf"(?<=\d) (?=%|(?:{_UNITS})\b|\d\d:\d\d)")
_RANGE = re.compile(r"(?<=\d)–(?=[\d−$])")
_BOUND_DASH = "\N{WORD JOINER}–\N{WORD JOINER}"
_BOUND = str.maketrans({" ": "\N{NO-BREAK SPACE}", "–": _BOUND_DASH})
_DATE = re.compile(r"(?<![\w-])(\d{4})-(\d\d)-(\d\d)(?![\w-])")  # not in a model's name
_JOINED = "\\1-\\2-\\3".replace("-", "\N{WORD JOINER}-\N{WORD JOINER}")
MAX_PLACES = 15  # decimals: smaller values are not real measurements

FINEST_S = 0.5e-9  # half of a nanosecond


def show(value: float | None, unit: str) -> str:
    """Return a value with its unit for display; None and NaN become a dash."""
    if value is None or isnan(value):
        return NOTHING
    shown = _SHOWN.get(unit)
    return shown(value) if shown else f"{significant(value)} {unit}"


def between(low: float, high: float, unit: str) -> str:
    """Return a range, with a shared unit written once: 22.3–23.4 ms, 850 µs – 1.20 ms."""
    first, last = show(low, unit), show(high, unit)
    words, others = first.split(" "), last.split(" ")
    if len(words) == len(others) <= 2 and words[1:] == others[1:]:
        return f"{words[0]}–{last}"
    return f"{first} – {last}"


def listed(names: Iterable[str], last_word: str = "and") -> str:
    """Return names as a list in a sentence: "a, b and c"."""
    *most, last = names
    return f"{', '.join(most)} {last_word} {last}" if most else last


def unbroken(text: str) -> str:
    """Return a text in which a line never ends between a number and its unit, 44 %, nor
    within a range, 31–60, nor within a date or between it and its time."""
    ranges = _RANGE.sub(_BOUND_DASH, text)
    return unbroken_dates(_BEFORE_UNIT.sub("\N{NO-BREAK SPACE}", ranges))


def unbroken_dates(text: str) -> str:
    """Return a text in which a line never ends at the hyphens of a date."""
    return _DATE.sub(_JOINED, text)


def on_one_line(text: str) -> str:
    """Return a text that a browser does not break, which it does at a space and after a dash; a
    hyphen is bound only in a date, since names are copied."""
    return unbroken_dates(text).translate(_BOUND)


def letter(index: int) -> str:
    """Return the letter of the server at an index: A, B, …"""
    return chr(ord("A") + index)


def significant(value: float, digits: int = 3) -> str:
    """Return `value` with that many significant digits and no exponent: 0.0123, 4.56, 12,300."""
    if not isfinite(value):
        return NOTHING if isnan(value) else ENDLESS if value > 0 else f"-{ENDLESS}"
    if value == 0:
        return "0"
    # rounding may add a digit before the point, so the position of the first digit is read
    # afterwards
    first = int(f"{value:.{digits - 1}e}".partition("e")[2])
    return f"{value:,.{min(max(digits - 1 - first, 0), MAX_PLACES)}f}"


def seconds(value: float) -> str:
    """Return a time: 850 µs, 12.3 ms, 4.56 s, 2 min 05 s, 1 h 03 min.

    The next unit is used where rounding would reach it: 999.7 ms is 1.00 s. Less than any clock
    measures is what rounding leaves of 0, such as the standard deviation of equal times.
    """
    if -FINEST_S < value < FINEST_S:
        return "0 s"
    if value < 0:
        return f"-{seconds(-value)}"
    if not isfinite(value):
        return significant(value)
    if 0 < value < 0.9995e-3:
        return f"{significant(value * 1e6)} µs"
    if 0 < value < 0.9995:
        return f"{significant(value * 1e3)} ms"
    if value < 119.5:
        return f"{significant(value)} s"
    if value < 7199.5:
        minutes, rest = divmod(round(value), 60)
        return f"{minutes} min {rest:02} s"
    hours, rest = divmod(round(value / 60), 60)
    return f"{hours} h {rest:02} min"


def dollars(value: float) -> str:
    """Return a price: $0.00042, $1.25."""
    cents = value == 0 or 0.995 <= value < inf
    return f"${value:,.2f}" if cents else f"${significant(value, 2)}"


def share(value: float) -> str:
    """Return a share between 0 and 1 as a percentage."""
    return f"{significant(value * 100)} %"


def count(value: float) -> str:
    """Return a count; a mean of counts keeps one decimal."""
    if not isfinite(value):
        return significant(value)
    return f"{value:,.0f}" if float(value).is_integer() or value >= 999.95 else f"{value:,.1f}"


def size(value: float) -> str:
    """Return a size of memory: 512 B, 3.50 MiB, 80.0 GiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < 999.5 or unit == "GiB":
            break
        value /= 1024
    return f"{value:,.0f} B" if unit == "B" else f"{significant(value)} {unit}"


def many(number: float, noun: str) -> str:
    """Return a number with its noun: 1 request, 5,000 requests, 2.5 tokens."""
    return f"{count(number)} {noun if number == 1 else f'{noun}s'}"


_SHOWN: dict[str, Callable[[float], str]] = {
    "s": seconds,
    "$": dollars,
    "USD": dollars,
    "share": share,
    "bytes": size,
    "tokens": count,
    "count": count,
    "": significant,
}
