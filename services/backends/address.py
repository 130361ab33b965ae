"""An address as a person writes it, turned into the base URL that a client asks."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

LOOPBACK = ("127.0.0.1", "localhost", "::1", "0.0.0.0")  # as a client sees them
_ENDPOINT = re.compile(r"/(chat/completions|completions|models)$")
_PATH = re.compile(r"[\w.~!$&'()*+,;=:@%/-]*", re.ASCII)
_NUMBERS = re.compile(r"[\d.]+", re.ASCII)
_LABEL = re.compile(r"\w([\w-]{0,61}\w)?", re.ASCII)  # with _: container networks use it


class InvalidAddress(ValueError):
    """What was written is no http or https address, in a sentence."""


def normal_url(written: str, what: str = "The address") -> str:
    """Return `written` as a base URL: /v1 where it has no path, and no endpoint at its end.

    Raises:
        InvalidAddress: with a sentence that begins with `what`, the name of the thing written.
    """
    parts = _split(written.strip(), what)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidAddress(f"{what} is not an address: it must start with http:// or https://.")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise InvalidAddress(f"{what} must hold no user, password or query.")
    if not _is_host(parts.hostname) or not _PATH.fullmatch(parts.path):
        raise InvalidAddress(f"{what} holds a host name or a path that cannot exist.")
    path = _ENDPOINT.sub("", parts.path.rstrip("/"))
    return f"{parts.scheme}://{parts.netloc.lower()}{path or '/v1'}"


def origin(url: str) -> tuple[str, str, int]:
    """Return (scheme, host, port) of a base URL: what must be the same for a key to be sent."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme]


def machine(url: str) -> str:
    """Return "host:port", the same for every way to write this machine."""
    _, host, port = origin(url)
    return f"{LOOPBACK[0] if host in LOOPBACK else host}:{port}"


def _split(written: str, what: str) -> SplitResult:
    if not written.isascii() or not written.isprintable():  # urlsplit drops tabs and line breaks
        raise InvalidAddress(f"{what} holds a character that no address has.")
    try:
        parts = urlsplit(written)
        port = parts.port
    except ValueError as error:
        raise InvalidAddress(f"{what} is not an address: {error}.") from None
    if port == 0:
        raise InvalidAddress(f"{what} has port 0, where nothing can answer.")
    return parts


def _is_host(host: str) -> bool:
    if ":" not in host and not _NUMBERS.fullmatch(host):
        return len(host) <= 253 and all(map(_LABEL.fullmatch, host.removesuffix(".").split(".")))
    try:
        return bool(ip_address(host))
    except ValueError:
        return False


_DEFAULT_PORTS = {"http": 80, "https": 443}
