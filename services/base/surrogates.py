"""Characters that cannot be stored: lone surrogates, where JSON cut a pair, and NUL."""

from __future__ import annotations


def join_surrogates(text: str) -> str:
    """Join surrogate pairs; a lone surrogate, which UTF-8 cannot encode, becomes U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def clean(text: str) -> str:
    """Join surrogate pairs and replace NUL, which PostgreSQL does not store, by U+FFFD."""
    return join_surrogates(text.replace("\0", "\ufffd") if "\0" in text else text)
