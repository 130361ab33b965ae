"""Keys never reach an error, a log or an export, however a server echoes them."""

from __future__ import annotations

import re
from collections.abc import Iterable

LONGEST = 300  # characters of a server's own words that are kept
_KEY_LIKE = re.compile(r"\b(?:sk|gsk|hf|pk|xai|key)[-_][\w*.…-]{6,}")
_BEARER = re.compile(r"(?i)bearer\s+\S+")


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return `text` without the given secrets and without anything that looks like a key,
    cut to LONGEST characters. A secret is also found by its first 40 characters, since servers
    quote a long prompt in part."""
    for secret in secrets:
        for part in (secret, secret[:40]):
            if len(part) >= 6:
                text = text.replace(part, "[removed]")
    text = _BEARER.sub("Bearer [removed]", _KEY_LIKE.sub("[removed]", text))
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
