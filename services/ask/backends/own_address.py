"""Where a backend is, and whether an address is its own: a key goes nowhere else."""

from __future__ import annotations

from collections.abc import Mapping

from services.ask.address import Address, InvalidAddress, Origin, origin, parse_address
from services.ask.backends.errors import BackendProblem
from services.ask.backends.table import Backend, value_of


def address(backend: Backend, env: Mapping[str, str], asked: str | None = None) -> str:
    """Return the base URL: the one asked for, else the environment's, else the default.

    Raises:
        BackendProblem: there is none, or it is not an address.
    """
    return place_of(backend, env, asked).base_url


def is_own(backend: Backend, env: Mapping[str, str], asked: str | None) -> bool:
    """Return whether an address is the backend's own, to which the environment's key goes.

    Raises:
        BackendProblem: it is not an address.
    """
    return not asked or origin(place_of(backend, env, asked).base_url) == _own_origin(backend, env)


def place_of(backend: Backend, env: Mapping[str, str], asked: str | None) -> Address:
    """Return where it is: the base URL as `address` does, the endpoint and the query."""
    if asked:
        return _taken_apart(asked, "The address")
    found = value_of(env, backend.url_env) or backend.base_url
    if not found:
        raise BackendProblem(
            f"{backend.label} needs an address: give one, or put {backend.url_env}=… into .env."
        )
    return _taken_apart(found, backend.url_env or "The address")


def _own_origin(backend: Backend, env: Mapping[str, str]) -> Origin | None:
    try:
        return origin(address(backend, env))
    except BackendProblem:
        return None  # no address of its own, or a broken one: nothing that a key belongs to


def _taken_apart(written: str, what: str) -> Address:
    try:
        return parse_address(written, what)
    except InvalidAddress as error:
        raise BackendProblem(str(error)) from None
