"""Keys and prompts never reach an error, a log or an export, however a server echoes them; paths
never an export."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

LONGEST = 300  # characters of a server's own words that are kept
READ = 2000  # characters that are looked at
RUN = 16  # so many characters in a row of a secret give it away
SHORTEST = 6  # a shorter secret would take ordinary words along
_KEY_LIKE = re.compile(
    r"\b(?:sk|gsk|hf|pk|xai)[-_][\w*.…-]{6,}|\bkey[-_](?=[\w.…-]*[\d*])[\w*.…-]{6,}"
    r"|\bAIza[\w-]{20,}"
    r"|(?<=key=)[^&\s]+"
)
_USER = re.compile(r"(?<=://)[^/\s@]+@")  # and the password, of an address
_BEARER = re.compile(r"(?i)bearer\s+\S+")
# A file's whole path, of two parts at least: `/v1/models` and other addresses of an API are none,
# nor is what belongs to a URL, `./here` or `and/or`.
_PART = r"""[^\s/'"<>|:;,()\[\]]+"""
_PATH = re.compile(
    r"(?:file://|(?<![\w.~)\]…:/-])/?|(?<![\w.~)\]…/-]))/(?!(?:v\d|api|openai)\b)"
    rf"(?:(?:home|Users)/{_PART}/?(?:{_PART}/)*|(?:{_PART}/)+)"
    r"|(?<!\w)[A-Za-z]:\\+(?:[^\s\\'\"<>|:;,]+\\+)+"
)


def redact(text: str, secrets: Iterable[str] = (), limit: int = LONGEST) -> str:
    """Return `text` without the given secrets and without anything that looks like a key, cut to
    `limit` characters. A server may quote a prompt in part, escaped, or on one line: every run of
    RUN characters that a secret holds, however it is written, is removed."""
    whole, text = len(text) <= READ, text[:READ]
    for secret in secrets:
        if len(secret) >= SHORTEST:
            for written in dict.fromkeys((secret, *_written(secret))):
                text = _without(text, written)
    text = _BEARER.sub("Bearer [removed]", _KEY_LIKE.sub("[removed]", text))
    text = _USER.sub("[removed]@", text)
    if not whole:  # a secret that was cut may begin there, too short to be known
        text = f"{text[:-RUN]}…"
    return text if len(text) <= limit else text[: limit - 1] + "…"


def holds_key(text: str) -> bool:
    """Return whether `text`, of any length, holds something that looks like a key."""
    return any(kind.search(text) for kind in (_KEY_LIKE, _BEARER, _USER))


def without_paths(text: str) -> str:
    """Return `text` with the folders of every file in it left out: "…/model.gguf". A folder's name
    tells who uses a machine, and for what."""
    return _PATH.sub("…/", text)


def _written(secret: str) -> tuple[str, ...]:
    return (
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        " ".join(secret.split()),
    )


def _without(text: str, secret: str) -> str:
    width, kept, at = min(RUN, len(secret)), "", 0
    while at < len(text):
        end = at + width
        if end <= len(text) and text[at:end] in secret:
            while end < len(text) and text[at : end + 1] in secret:
                end += 1
            kept, at = f"{kept}[removed]", end
        else:
            kept, at = kept + text[at], at + 1
    return kept
