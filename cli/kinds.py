"""Types of command-line arguments, whose invalid values are refused with a sentence; and the limit
of lists."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError

from services.analysis.compare import MAX_MARGIN, MIN_MARGIN
from services.analysis.thresholds import WORDS, InvalidThreshold, Threshold, parse_threshold

MOST = 2**31 - 1  # of a run's number, and of the length of a list


def whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 10 or not 0 < int(text) <= MOST:
        raise ArgumentTypeError(f"{text[:40]!r} is not a whole number from 1 to {MOST:,}")
    return int(text)


def add_limit_argument(command: ArgumentParser) -> None:
    command.add_argument(
        "--limit", type=whole, default=20, help="Maximum number of lines (default: 20)"
    )


def days(text: str) -> int:
    return 0 if text == "0" else whole(text)


def per_cent(text: str) -> float:
    try:
        share = float(text.removesuffix("%")) / 100
    except ValueError:
        share = 0.0
    if not MIN_MARGIN <= share <= MAX_MARGIN:
        raise ArgumentTypeError(f"{text[:40]!r} is not a percentage from 0.1 to 100")
    return share


def words(text: str) -> list[str]:
    words = [word.strip() for word in text.split(",")]
    if wrong := [word for word in words if word not in WORDS]:
        raise ArgumentTypeError(
            f"{wrong[0][:40]!r} is not a verdict; choose from {', '.join(WORDS)}"
        )
    return words


def condition(text: str) -> Threshold:
    try:
        return parse_threshold(text)
    except InvalidThreshold as error:
        raise ArgumentTypeError(str(error).rstrip(".")) from None
