"""The addresses on which Paceline listens: without sign-in, only this machine's own.

Anyone who reaches Paceline can start programs here, so another address requires two settings: the
server's address, and PACELINE_ALLOW_ANYONE=yes.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

VARIABLE = "PACELINE_ALLOW_ANYONE"


def anyone(env: Mapping[str, str]) -> bool:
    """Return whether the settings let in anyone who can reach the server."""
    return env.get(VARIABLE, "").strip().lower() == "yes"


def is_local(address: str) -> bool:
    """Return whether only this machine reaches `address`: a loopback address or a Unix socket."""
    if address.startswith(("/", "unix:")):
        return True
    try:
        ip = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        return address.lower() == "localhost"
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return (mapped or ip).is_loopback


def refusal(address: str, env: Mapping[str, str]) -> str | None:
    """Return why Paceline refuses to listen on `address`, as a sentence; None if it may."""
    if is_local(address) or anyone(env):
        return None
    return (
        f"Sign-in is off, so Paceline listens on 127.0.0.1, not on {address[:80]}: anyone who "
        "reaches it can start programs on this machine. To allow that, set the address "
        f"(--server.address, make run ADDRESS=…) and also put {VARIABLE}=yes in .env."
    )
