"""The address of a backend, and whether a given address is the backend's own: keys are sent only
there."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from services.ask.address import Address, InvalidAddress, Origin, origin, parse_address
from services.ask.backends.errors import BackendProblem
from services.ask.backends.table import BACKENDS, Backend, value_of
from services.ask.config import DialectName


def address(backend: Backend, env: Mapping[str, str], requested: str | None = None) -> str:
    """Return the base URL: the requested one, otherwise the environment's, otherwise the default.

    Raises:
        BackendProblem: there is none, or it is invalid.
    """
    return resolve_address(backend, env, requested).base_url


def is_own(backend: Backend, env: Mapping[str, str], requested: str | None) -> bool:
    """Return whether an address is the backend's own, so that the environment's key is sent to it.

    Raises:
        BackendProblem: the address is invalid.
    """
    if not requested:
        return True
    return origin(address(backend, env, requested)) == _own_origin(backend, env)


def owner_of_key(variable: str) -> Backend | None:
    """Return the backend whose key is in a variable, or None."""
    return next((b for b in BACKENDS.values() if b.key_env == variable), None)


def check_key_address(variable: str, url: str, env: Mapping[str, str]) -> None:
    """Check that this address is configured with the key's variable: PROD_API_KEY is only sent to
    PROD_BASE_URL.

    Raises:
        BackendProblem: the variable has no address, or another one.
    """
    backend = owner_of_key(variable)
    url_source = variable.removesuffix("_API_KEY") + "_BASE_URL"
    if backend is not None:
        url_source = backend.url_env or backend.label
        home = _own_origin(backend, env)
    else:
        written = value_of(env, url_source)
        home = origin(_parse(written, url_source).base_url) if written else None
    if home != origin(url):
        raise BackendProblem(
            f"{variable} is not sent to {urlsplit(url).netloc}: it goes to the address in "
            f"{url_source} only. Put this address there."
        )


def resolve_address(
    backend: Backend,
    env: Mapping[str, str],
    requested: str | None,
    dialect: DialectName | None = None,
) -> Address:
    """Return the address with its endpoint and query; see `address`. `dialect`: the chosen one.
    Ollama's own base URL ends in /api: its list of models is below /v1 beside it."""
    written = _written(backend, env, requested)
    if "ollama" in (backend.dialect, dialect) and written.base_url.endswith("/api"):
        return written._replace(base_url=written.base_url.removesuffix("/api") + "/v1")
    return written


def _written(backend: Backend, env: Mapping[str, str], requested: str | None) -> Address:
    if requested:
        return _parse(requested, "The address")
    default = value_of(env, backend.url_env) or backend.base_url
    if not default:
        raise BackendProblem(
            f"Enter the server's address ({backend.label}), or put {backend.url_env}=… in .env."
        )
    return _parse(default, backend.url_env or "The address")


def _own_origin(backend: Backend, env: Mapping[str, str]) -> Origin | None:
    try:
        return origin(address(backend, env))
    except BackendProblem:
        return None  # no address of its own, or an invalid one


def _parse(text: str, label: str) -> Address:
    try:
        return parse_address(text, label)
    except InvalidAddress as error:
        raise BackendProblem(str(error)) from None
