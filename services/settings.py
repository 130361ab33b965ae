"""Addresses, keys and names that a person keeps in .env, put into the environment."""

from __future__ import annotations

from pathlib import Path

from dotenv import load_dotenv


class InvalidSettings(ValueError):
    """A .env that cannot be read, in a sentence that repeats nothing of it: it may hold keys."""


def load(file: Path) -> None:
    """Set what `file` says, but for what the environment says already. There may be no such file.

    Raises:
        InvalidSettings: it cannot be read, or is not text.
    """
    try:
        load_dotenv(file, encoding="utf-8-sig")  # with or without the mark that some editors set
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InvalidSettings(
            f"{file} is not UTF-8 text in line {line}. Save it as UTF-8 and start again."
        ) from None
    except OSError as error:
        raise InvalidSettings(
            f"{file} cannot be read: {error.strerror}. Make it readable, or take it away."
        ) from None
    except ValueError:  # of the environment, which takes no NUL
        raise InvalidSettings(
            f"{file} holds a NUL character. Save it as UTF-8 text and start again."
        ) from None
