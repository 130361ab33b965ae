"""An address as a person writes it, turned into the base URL that a client asks."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from services.ask import request_options

LOOPBACK = ("127.0.0.1", "localhost", "::1", "0.0.0.0")  # as a client sees them
_ENDPOINT = re.compile(r"/(chat/completions|completions)$")
_PATH = re.compile(r"[\w.~!$&'()*+,;=:@%/-]*", re.ASCII)
_QUERY = re.compile(r"[\w.~!$&'()*+,;=:@%/?-]*", re.ASCII)
_NUMBERS = re.compile(r"[\d.]+", re.ASCII)
_NETLOC = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]+)(:\d*)?", re.ASCII)  # and nothing beside a bracket
_LABEL = re.compile(r"\w([\w-]{0,61}\w)?", re.ASCII)  # with _: container networks use it


Origin = tuple[str, str, int]  # scheme, host, port: what must be the same for a key to be sent


class InvalidAddress(ValueError):
    """What was written is no http or https address, in a sentence."""


class Place(NamedTuple):
    """Where a server is: its base URL without a slash at its end; the path of the endpoint and the
    query where the address gave them, "" where it did not."""

    base_url: str
    endpoint: str = ""
    query: str = ""


def place(written: str, what: str = "The address") -> Place:
    """Take an address apart. Its base URL ends in /v1 where the address has no path. An endpoint
    (…/chat/completions, …/completions) is asked exactly as given; what else is asked, such as the
    list of models, is beside it.

    Raises:
        InvalidAddress: with a sentence that begins with `what`, the name of the thing written.
    """
    parts = _split(written.strip(), what)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidAddress(f"{what} is not an address: it must start with http:// or https://.")
    if "@" in parts.netloc or parts.fragment:
        raise InvalidAddress(f"{what} must hold no user, password or fragment.")
    if secret := request_options.secret_in(parts):
        raise InvalidAddress(
            f"{what} must hold no key: its {secret} looks like one. Send it as a header that names "
            "a variable."
        )
    if not _is_host(parts.hostname) or not _PATH.fullmatch(parts.path):
        raise InvalidAddress(f"{what} holds a host name or a path that cannot exist.")
    if not _QUERY.fullmatch(parts.query):
        raise InvalidAddress(f"{what} holds a query that cannot be sent.")
    server = f"{parts.scheme}://{parts.netloc.lower()}"
    path = parts.path.rstrip("/")
    if _ENDPOINT.search(path):
        return Place(f"{server}{_ENDPOINT.sub('', path)}", path, parts.query)
    return Place(f"{server}{path.removesuffix('/models') or '/v1'}", "", parts.query)


def normal_url(written: str, what: str = "The address") -> str:
    """Return `written` as a base URL: /v1 where it has no path, no endpoint at its end, no query.

    Raises:
        InvalidAddress: as `place` does.
    """
    return place(written, what).base_url


def origin(url: str) -> Origin:
    """Return (scheme, host, port) of a base URL."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme]


def origin_url(place: Origin) -> str:
    """Return an origin as a URL without a path; the scheme's own port is left out."""
    scheme, host, port = place
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}" + ("" if port == _DEFAULT_PORTS[scheme] else f":{port}")


def machine(url: str) -> str:
    """Return "host:port", the same for every way to write this machine."""
    _, host, port = origin(url)
    return f"{LOOPBACK[0] if host in LOOPBACK else host}:{port}"


def _split(written: str, what: str) -> SplitResult:
    if not written.isascii() or not written.isprintable():  # urlsplit drops tabs and line breaks
        raise InvalidAddress(f"{what} holds a character that no address has.")
    if request_options.is_bare_ipv6(written):
        raise InvalidAddress(
            f"{what} is not an address: an IPv6 host stands in brackets, http://[::1]:8000."
        )
    try:
        parts = urlsplit(written)
        port = parts.port
    except ValueError as error:
        raise InvalidAddress(f"{what} is not an address: {error}.") from None
    if parts.hostname and not _NETLOC.fullmatch(parts.netloc.rpartition("@")[2]):
        raise InvalidAddress(f"{what} holds a host name or a path that cannot exist.")
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
