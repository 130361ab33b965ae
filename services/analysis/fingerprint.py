"""Fingerprints: SHA-256 over canonical JSON."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from services.analysis.compare.differences import environment_facts

LENGTH = 12  # hexadecimal digits for an environment, short enough to compare by eye


def digest(data: Any) -> str:
    """Return the SHA-256 (64 hexadecimal digits) of plain data as canonical JSON."""
    return hashlib.sha256(canonical(data)).hexdigest()


def canonical(data: Any) -> bytes:
    """Return plain data as canonical JSON in UTF-8: sorted keys, no spaces, every number in its
    shortest exact form."""
    return orjson.dumps(data, option=orjson.OPT_SORT_KEYS)


def of_environment(environment: Mapping[str, Any]) -> str:
    """Return a fingerprint of engine, versions and machine; "" if none of these is known."""
    facts = environment_facts(environment)
    return digest(facts)[:LENGTH] if facts else ""
