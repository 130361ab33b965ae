"""The proxy that the environment names for a server, if any.

The variables are the usual ones: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, in either case.
This machine itself is never reached through a proxy.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from services.ask.address import LOOPBACK, InvalidAddress


def proxy_for(base_url: str, env: Mapping[str, str]) -> str | None:
    """Return the URL of the proxy for `base_url`, or None for a direct connection.

    Raises:
        InvalidAddress: the variable does not name an HTTP proxy.
    """
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if host in LOOPBACK or _excepted(host, env.get("no_proxy") or env.get("NO_PROXY") or ""):
        return None
    for name in (f"{parts.scheme}_proxy", "all_proxy"):
        for variable in (name, name.upper()):
            if written := env.get(variable, "").strip():
                return _usable(written, variable)
    return None


def _excepted(host: str, names: str) -> bool:
    """Whether `names` contains the host, its domain or network, or `*`."""
    for name in names.replace(",", " ").split():
        if "/" in name and _inside(host, name):
            return True
        domain = name.lower().partition(":")[0].lstrip("*").lstrip(".")
        if name == "*" or (domain and (host == domain or host.endswith(f".{domain}"))):
            return True
    return False


def _inside(host: str, network: str) -> bool:
    try:
        return ip_address(host) in ip_network(network, strict=False)
    except ValueError:  # a name, not a network
        return False


def _usable(written: str, variable: str) -> str:
    url = written if "://" in written else f"http://{written}"
    try:  # the value is not repeated, since it may contain a password
        parts = urlsplit(url)
        usable = parts.scheme == "http" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise InvalidAddress(
            f"{variable} is not the address of an HTTP proxy, such as http://proxy.example:3128. "
            "Correct it, or add the server's name to NO_PROXY."
        )
    return url
