"""Where a backend is, and whether an address is its own: a key goes nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from services.ask.address import Address, InvalidAddress, Origin, origin, parse_address
from services.ask.backends.errors import BackendProblem
from services.ask.backends.table import BACKENDS, Backend, value_of


def address(backend: Backend, env: Mapping[str, str], requested: str | None = None) -> str:
    """Return the base URL: the requested one, else the environment's, else the default.

    Raises:
        BackendProblem: there is none, or it is not an address.
    """
    return resolve_address(backend, env, requested).base_url


def is_own(backend: Backend, env: Mapping[str, str], requested: str | None) -> bool:
    """Return whether an address is the backend's own, to which the environment's key goes.

    Raises:
        BackendProblem: it is not an address.
    """
    if not requested:
        return True
    return origin(address(backend, env, requested)) == _own_origin(backend, env)


def owner_of_key(variable: str) -> Backend | None:
    """Return the backend whose key a variable holds; None: it is no backend's."""
    return next((each for each in BACKENDS.values() if each.key_env == variable), None)


def check_key_goes(variable: str, url: str, env: Mapping[str, str]) -> None:
    """Check that the owner wrote this address beside the key: PROD_API_KEY goes to PROD_BASE_URL.

    Raises:
        BackendProblem: the variable has no address beside it, or another one.
    """
    backend = owner_of_key(variable)
    beside = variable.removesuffix("_API_KEY") + "_BASE_URL"
    if backend is not None:
        beside = backend.url_env or backend.label
        home = _own_origin(backend, env)
    else:
        written = value_of(env, beside)
        home = origin(_parse(written, beside).base_url) if written else None
    if home != origin(url):
        raise BackendProblem(
            f"{variable} is not sent to {urlsplit(url).netloc}: it goes to the address in {beside} "
            "only. Put this address there."
        )


def resolve_address(backend: Backend, env: Mapping[str, str], requested: str | None) -> Address:
    """Return where it is: the base URL as `address` does, the endpoint and the query."""
    if requested:
        return _parse(requested, "The address")
    found = value_of(env, backend.url_env) or backend.base_url
    if not found:
        raise BackendProblem(
            f"{backend.label} needs an address: give one, or put {backend.url_env}=… into .env."
        )
    return _parse(found, backend.url_env or "The address")


def _own_origin(backend: Backend, env: Mapping[str, str]) -> Origin | None:
    try:
        return origin(address(backend, env))
    except BackendProblem:
        return None  # no address of its own, or a broken one: nothing that a key belongs to


def _parse(written: str, what: str) -> Address:
    try:
        return parse_address(written, what)
    except InvalidAddress as error:
        raise BackendProblem(str(error)) from None
