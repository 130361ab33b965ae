"""Parsing of addresses as entered by the user into base URLs."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from services.base.errors import Invalid
from services.base.secret_patterns import begins_with_key, holds_key, names_secret

LOOPBACK = ("127.0.0.1", "localhost", "::1", "0.0.0.0")  # as a client sees them
_ENDPOINT = re.compile(r"/(chat/completions|completions|responses|messages)$")
_OLLAMA = "/api/chat"
_PATH = re.compile(r"[\w.~!$&'()*+,;=:@%/-]*", re.ASCII)
_QUERY = re.compile(r"[\w.~!$&'()*+,;=:@%/?-]*", re.ASCII)
_NUMBERS = re.compile(r"[\d.]+", re.ASCII)
_NETLOC = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]+)(:\d*)?", re.ASCII)  # nothing outside the brackets
_BARE_IPV6 = re.compile(r"https?://[0-9A-Fa-f:.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*(/|$)")
_PARAMETERS, _PIECES = re.compile("[&;]"), re.compile("[/;]")  # separators
_LABEL = re.compile(r"\w([\w-]{0,61}\w)?", re.ASCII)  # with _: container networks use it


Origin = tuple[str, str, int]  # scheme, host, port: a key is only sent where all three match


class InvalidAddress(Invalid):
    """Not a valid http or https address; the message is a sentence."""


class Address(NamedTuple):
    """The parts of an address: the base URL without a trailing slash; the path of the endpoint and
    the query, or ""."""

    base_url: str
    endpoint: str = ""
    query: str = ""


def parse_address(written: str, what: str = "The address") -> Address:
    """Parse an address. Its base URL ends in /v1 if the address has no path. An endpoint
    (…/chat/completions, …/completions, …/responses, …/messages, …/api/chat) is used exactly as
    given; other requests, such as for the list of models, are sent to URLs beside it.

    Raises:
        InvalidAddress: the message begins with `what`.
    """
    try:
        parts = _checked(written.strip())
    except InvalidAddress as error:
        raise InvalidAddress(f"{what} {error}.") from None
    server = f"{parts.scheme}://{parts.netloc.lower()}"
    path = parts.path.rstrip("/")
    if path.endswith(_OLLAMA):  # which has the list of models below /v1
        return Address(f"{server}{path.removesuffix(_OLLAMA)}/v1", path, parts.query)
    if _ENDPOINT.search(path):
        return Address(f"{server}{_ENDPOINT.sub('', path)}", path, parts.query)
    return Address(f"{server}{path.removesuffix('/models') or '/v1'}", "", parts.query)


def as_written(written: str) -> str:
    """Return an address as written, without a trailing slash.

    Raises:
        InvalidAddress: it is invalid or contains a secret; the message is to follow a subject.
    """
    parts = _checked(written)
    path = parts.path.rstrip("/")
    return parts._replace(path=path).geturl() if parts.query else written.rstrip("/?")


def normal_url(written: str, what: str = "The address") -> str:
    """Return the base URL of an address, without its endpoint and query; see `parse_address`.

    Raises:
        InvalidAddress: the address is invalid.
    """
    return parse_address(written, what).base_url


def origin(url: str) -> Origin:
    """Return (scheme, host, port) of a base URL."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme]


def origin_url(origin: Origin) -> str:
    """Return an origin as a URL, without the scheme's default port."""
    scheme, host, port = origin
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}" + ("" if port == _DEFAULT_PORTS[scheme] else f":{port}")


def machine(url: str) -> str:
    """Return "host:port", which is the same for all names of this machine."""
    _, host, port = origin(url)
    return f"{LOOPBACK[0] if host in LOOPBACK else host}:{port}"


def is_loopback(url: str | None) -> bool:
    """Return whether an address refers to the machine that uses it, such as localhost."""
    return url is not None and origin(url)[1] in LOOPBACK


def _checked(written: str) -> SplitResult:
    """Return the parts of an address.

    Raises:
        InvalidAddress: the message follows the address's name and does not repeat the address,
            which may contain a key.
    """
    if not written.isascii() or not written.isprintable():  # urlsplit drops tabs and line breaks
        raise InvalidAddress("contains a character that is not allowed in an address")
    if _BARE_IPV6.match(written):
        raise InvalidAddress("is not an address: put an IPv6 host in brackets, http://[::1]:8000")
    try:
        parts = urlsplit(written)
        port = parts.port
    except ValueError:
        raise InvalidAddress("is not an address: its host or port is invalid") from None
    if parts.hostname and not _NETLOC.fullmatch(parts.netloc.rpartition("@")[2]):
        raise InvalidAddress("contains an invalid host name or path")
    if port == 0:
        raise InvalidAddress("has port 0, which no server can use")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidAddress(
            "is not an address: it must start with http:// or https:// and name a host"
        )
    _check_secrets(parts)
    if not _is_host(parts.hostname) or not _PATH.fullmatch(parts.path):
        raise InvalidAddress("contains an invalid host name or path")
    if not _QUERY.fullmatch(parts.query):
        raise InvalidAddress("contains a query that cannot be sent")
    return parts


def _check_secrets(parts: SplitResult) -> None:
    if "@" in parts.netloc or parts.fragment:
        raise InvalidAddress(
            "must not contain a user, password or fragment: put the key into .env instead, into "
            "the backend's variable, such as PACELINE_URL_API_KEY"
        )
    if secret := _secret_in(parts):
        raise InvalidAddress(
            f"must not contain a key: its {secret} looks like one. Put the key into .env, into the "
            "backend's variable, such as PACELINE_URL_API_KEY, or send it as a header that names a "
            "variable"
        )


def _secret_in(parts: SplitResult) -> str | None:
    """Return the part of an address that looks like a key: "parameter 'sig'", "path", or None."""
    for part, pieces in (
        ("query", _PARAMETERS.split(parts.query)),
        ("path", _PIECES.split(parts.path)),
    ):
        for name, named, value in (unquote(piece).partition("=") for piece in pieces):
            if begins_with_key(name):
                return part
            if named and (
                names_secret(name, "parameter") or name == "code" or holds_key(value)
            ):  # code: Azure's
                return f"parameter {name[:40]!r}"
    return None


def _is_host(host: str) -> bool:
    if ":" not in host and not _NUMBERS.fullmatch(host):
        return len(host) <= 253 and all(map(_LABEL.fullmatch, host.removesuffix(".").split(".")))
    try:
        return bool(ip_address(host))
    except ValueError:
        return False


_DEFAULT_PORTS = {"http": 80, "https": 443}
