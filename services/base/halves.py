"""Characters that cannot be stored: halves, where JSON cut a surrogate pair, and NUL."""

from __future__ import annotations


def joined(text: str) -> str:
    """Join surrogate pairs; U+FFFD for a half that stays alone, for which UTF-8 has no form."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def clean(text: str) -> str:
    """Join characters that came in halves (see `joined`); U+FFFD for NUL, which PostgreSQL keeps
    in no text."""
    return joined(text.replace("\0", "\ufffd") if "\0" in text else text)
