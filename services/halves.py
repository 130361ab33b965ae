"""Characters that came in halves: JSON may cut a surrogate pair between two chunks of a stream."""

from __future__ import annotations


def joined(text: str) -> str:
    """Join surrogate pairs; U+FFFD for a half that stays alone, for which UTF-8 has no form."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
