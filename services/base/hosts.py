"""The host names that Paceline accepts.

Any website can point its own host name to this machine (DNS rebinding), so requests are accepted
only for known names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from services.base.errors import Invalid

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
VARIABLE = "PACELINE_ALLOWED_HOSTS"
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{0,5})?", re.IGNORECASE)
_IN_URL = re.compile(r"[a-z][a-z0-9+.-]*://([^/?#\s]*)", re.IGNORECASE)


class InvalidHosts(Invalid):
    """The settings contain an invalid host name; the message is a sentence."""


def host_name(host: str) -> str | None:
    """Return the name in a Host header, lower-case and without its port; None if it is not `name`,
    `name:port`, `[IPv6]` or `[IPv6]:port`."""
    match = _HOST.fullmatch(host)
    return (match[1] or match[2]).lower() if match else None


def allowed(env: Mapping[str, str]) -> frozenset[str]:
    """Return the accepted host names: this machine's own, and those in PACELINE_ALLOWED_HOSTS,
    separated by commas.

    Raises:
        InvalidHosts: one of them is not a host name.
    """
    return LOOPBACK | set(_parse_names(env.get(VARIABLE, "")))


def _parse_names(text: str) -> Iterator[str]:
    for entry in filter(None, map(str.strip, text.split(","))):
        bare_ipv6 = f"[{entry}]" if entry.count(":") > 1 and "[" not in entry else entry
        name = host_name(bare_ipv6)
        if name is None:
            raise InvalidHosts(f"{VARIABLE} contains {entry[:80]!r}{_advice(entry)}")
        yield name


def _advice(entry: str) -> str:
    if "*" in entry:
        return (
            ", but a pattern would let pages of other websites act here. List every host name "
            "that people use in the browser, separated by commas."
        )
    url = _IN_URL.match(entry)
    example = host_name(url[1]) if url else None
    kind = "which is an address" if url else "which is not a host name"
    return f", {kind}. Write only the host name: {example or 'bench.example.org'}."
