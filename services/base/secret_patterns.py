"""What a secret looks like: by the name of the field that holds it, and by its value.

Some words indicate a secret in any name. Others do so only in some kinds of names, because the same
word means something else elsewhere: a header called `x-token` holds a key, but a request field
called `stop_token` does not.
"""

from __future__ import annotations

import re
from typing import Literal

Kind = Literal["variable", "header", "parameter", "field", "argument"]

_ANYWHERE = (
    r"api-?key|secret|passw|passphrase|credential|authorization|(?:access|auth|bearer)-?token"
)
_HEADER = r"(?:^|-)(?:key|pwd|token|sig|signature|auth|cookie|bearer|jwt)(?:-|$)|subscription-key"
_BY_KIND: dict[Kind, str] = {  # of names in lower case with - between words
    "variable": r"keys?(?:-|$)|(?:^|-)(?:pass|pat|auth|cookie|dsn)(?:-|$)"
    r"|-header-"  # variables that a request's headers may name, see docs/requests.md
    r"|-headers$"  # of the span exporter
    r"|token(?:-file|-path)?$",  # not MAX_TOKENS, nor TOKENIZERS_PARALLELISM
    "header": _HEADER,  # not api-version
    "parameter": _HEADER,
    "field": r"^(?:auth|bearer|cookie|jwt|pwd|token)$",  # not prompt_cache_key
    "argument": r"(?:access|auth|private)-?key$|keyfile-p|token$",  # not --ssl-keyfile
}
_NAMES = {kind: re.compile(f"{_ANYWHERE}|{own}") for kind, own in _BY_KIND.items()}

_PREFIX = r"(?:sk|gsk|hf|pk|xai)[-_]"
_GOOGLE = r"AIza[\w-]{20,}"
KEY = re.compile(
    rf"\b{_PREFIX}[\w*.…-]{{6,}}|\bkey[-_](?=[\w.…-]{{0,200}}[\d*])[\w*.…-]{{6,}}"
    rf"|\b{_GOOGLE}|(?<=key=)[^&\s]+"
)
BEARER = re.compile(r"(?i)bearer\s+\S+")
USER = re.compile(r"(?<=://)[^/\s@]+@")  # user and password in a URL
_PIECE = re.compile(  # for paths, in which hf-inference is not a key
    rf"sk[-_][\w-]{{6,}}|{_PREFIX}(?:[\w-]*[-_])?(?=[A-Za-z]*\d)[A-Za-z0-9]{{16,}}|{_GOOGLE}"
)


def names_secret(name: str, kind: Kind) -> bool:
    """Return whether a variable, a header, a parameter of an address, a field of a request's body
    or an argument of a command called `name` holds a secret."""
    return bool(_NAMES[kind].search(name.lower().replace("_", "-").replace(".", "-")))


def holds_key(text: str) -> bool:
    """Return whether `text`, of any length, holds something that looks like a key."""
    return any(pattern.search(text) for pattern in (KEY, BEARER, USER))


def begins_with_key(piece: str) -> bool:
    """Return whether a piece of an address's path begins with something that looks like a key."""
    return bool(_PIECE.match(piece))
