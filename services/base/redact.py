"""Remove keys and prompts from errors, logs and exports, however a server echoes them, and paths
from exports."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterable
from dataclasses import dataclass
from importlib import import_module

from services.base.secret_patterns import BEARER, KEY, USER

LONGEST = 300  # characters of a server's own words that are kept
READ = 2000  # characters that are looked at
RUN = 16  # this many consecutive characters of a secret reveal it
BLOCK, STEP = 8, 9  # characters: BLOCK + STEP - 1 is RUN
SIDE = (RUN - BLOCK) // 2  # RUN characters around a block have at least this many on one side
LONG = 20_000  # characters; longer secrets are searched with numpy
SHORTEST = 6  # removing a shorter secret would also remove ordinary words
SPACES = ("  ", "\n", "\t", "\r")  # replaced by one space when a text is put on one line
WHITESPACE = "\n\t\r\v\f\x1c\x1d\x1e\x1f"  # of ASCII, besides the space
REMOVED = "[removed]"
_STRETCH = re.compile(r"\s+")
# A file's whole path, of at least two parts. `/v1/models` and other addresses of an API do not
# count, nor do parts of a URL, `./here` or `and/or`.
_PART = r"""[^\s/'"<>|:;,()\[\]]+"""
_PATH = re.compile(
    r"(?:file://|(?<![\w.~)\]…:/-])/?|(?<![\w.~)\]…/-]))/(?!(?:v\d|api|openai)\b)"
    rf"(?:(?:home|Users)/{_PART}/?(?:{_PART}/)*|(?:{_PART}/)+)"
    r"|(?<!\w)[A-Za-z]:\\+(?:[^\s\\'\"<>|:;,]+\\+)+"
)


@dataclass(frozen=True, slots=True)
class KnownSecret:
    """A secret, and the same on one line, prepared for searching texts that may quote it."""

    secret: str
    line: str


Secret = str | KnownSecret
Secrets = Iterable[Secret]


def known(secret: str) -> KnownSecret:
    """Prepare a secret for searching. For a long one this takes a millisecond and imports numpy,
    so do it before requests are timed."""
    if len(secret) >= LONG:
        import_module("services.base.long_secret")
    spaced = any(space in secret for space in SPACES)
    return KnownSecret(secret, _on_one_line(secret) if spaced else secret)


def redact(text: str, secrets: Secrets = (), limit: int = LONGEST) -> str:
    """Return `text` without the secrets and without anything that looks like a key, shortened to
    `limit` characters. A server may quote part of a prompt, escaped or on one line, so every
    sequence of RUN characters of a secret is removed, however it is written."""
    whole, text = len(text) <= READ, without_secrets(text[:READ], secrets)
    text = BEARER.sub("Bearer [removed]", KEY.sub("[removed]", text))
    text = USER.sub("[removed]@", text)
    if not whole:  # a secret that was cut off may begin there, too short to be recognised
        text = f"{text[:-RUN]}…"
    return text if len(text) <= limit else text[: limit - 1] + "…"


def without_secrets(text: str, secrets: Secrets) -> str:
    """Return `text`, of any length, without the secrets and without any RUN consecutive characters
    of one: plain, escaped, or on one line."""
    blocks: set[str] = set()  # blocks of the text, once they are needed
    runs: set[str] = set()  # of all secrets: removed one by one, some would leave halves of others
    short: list[str] = []
    for each in secrets:
        secret = each if isinstance(each, str) else each.secret
        if len(secret) < SHORTEST or len(text) < min(RUN, len(secret)):
            continue
        for written in _spellings(known(each) if isinstance(each, str) else each, text):
            if len(written) < RUN:
                short.append(written)
                continue
            # The blocks of a secret shorter than the text are each searched for directly; a long
            # secret needs no set.
            few = len(text) > len(written) or len(written) >= LONG
            blocks = blocks or (set() if few else _blocks(text))
            runs |= _shared_runs(text, text if few else blocks, written)
    if runs:
        text = _remove_runs(text, runs)
    for written in short:
        text = text.replace(written, REMOVED)
    return text


def holds(text: str, secrets: Secrets) -> bool:
    """Return whether `text`, of any length, contains a secret or RUN consecutive characters of
    one."""
    return without_secrets(text, secrets) != text


def without_paths(text: str) -> str:
    """Return `text` without the folders of any file path in it: "…/model.gguf". A folder's name may
    reveal who uses a machine and for what."""
    return _PATH.sub("…/", text)


def _spellings(known: KnownSecret, text: str) -> tuple[str, ...]:
    """Return the spellings of a secret that may occur in `text`."""
    secret, ways = known.secret, [known.line]
    if "\\" in text or any(sign in text for sign in SPACES):  # else the text is already on one line
        ways.append(secret)
    if "\\" in text:
        as_json = json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]
        ways += [*as_json, repr(secret)[1:-1]]
    return tuple(dict.fromkeys(way for way in ways if len(way) >= SHORTEST))


def _on_one_line(secret: str) -> str:
    """Return a secret with runs of whitespace collapsed to one space; for most long prompts this
    takes a tenth of the time of the regular expression."""
    if not secret.isascii():
        return _STRETCH.sub(" ", secret)
    for space in WHITESPACE:
        secret = secret.replace(space, " ")
    while "  " in secret:
        secret = secret.replace("  ", " ")
    return secret


def _blocks(text: str) -> set[str]:
    return {text[at : at + BLOCK] for at in range(len(text) - BLOCK + 1)}


def _shared_runs(text: str, blocks: Container[str], secret: str) -> set[str]:
    """Return the sequences of RUN characters that `text` shares with the secret. Any such sequence
    contains one of the blocks, which are looked up first; blocks alone are often ordinary words."""
    offsets = [
        at
        for at in _shared_offsets(text, blocks, secret)
        if secret[max(0, at - SIDE) : at + BLOCK] in text or secret[at : at + BLOCK + SIDE] in text
    ]
    if not offsets:
        return set()
    runs = {text[at : at + RUN] for at in range(len(text) - RUN + 1)}
    around = {secret[max(0, at + BLOCK - RUN) : at + RUN] for at in offsets}
    candidates = (part[at : at + RUN] for part in around for at in range(len(part) - RUN + 1))
    return runs.intersection(candidates)


def _shared_offsets(text: str, blocks: Container[str], secret: str) -> list[int]:
    """Return the offsets in the secret at which a block of the text occurs."""
    if len(secret) >= LONG:
        from services.base.long_secret import shared_blocks  # imports numpy, so only if needed

        return shared_blocks(text, secret)
    return [
        at for at in range(0, len(secret) - BLOCK + 1, STEP) if secret[at : at + BLOCK] in blocks
    ]


def _remove_runs(text: str, runs: set[str]) -> str:
    pieces, at = [], 0
    while at < len(text):
        end = start = at
        while start <= end and start < len(text):  # overlapping runs are merged
            if text[start : start + RUN] in runs:
                end = start + RUN
            start += 1
        pieces.append(REMOVED if end > at else text[at])
        at = max(end, at + 1)
    return "".join(pieces)
