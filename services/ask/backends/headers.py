"""The headers of a run, with the variables in them replaced by their values."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from services.ask import request_options
from services.ask.backends.errors import BackendProblem
from services.ask.backends.table import Backend, value_of
from services.ask.config import RunConfig


def headers_of(
    config: RunConfig,
    backend: Backend,
    env: Mapping[str, str],
    elsewhere: str | None,
    typed: Collection[str | None] = (),
) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """Return the headers with their variables replaced, and the values of those variables. Like a
    key, a variable is only sent to the backend's own address. `elsewhere` is a different address,
    if the run names one; it only receives variables in `typed`."""
    values = {}
    for name in request_options.variables(config.headers):
        _check_variable(name, backend)
        if elsewhere and name not in typed:
            raise BackendProblem(
                f"{name} is not sent to {urlsplit(elsewhere).netloc}: it goes to the address in "
                f"{backend.url_env or backend.label} only. Put this address there."
            )
        values[name] = value_of(env, name)
        if not values[name]:
            raise BackendProblem(f"A header needs {name}: put {name}=… in .env.")
        if not values[name].isascii() or not values[name].isprintable():
            raise BackendProblem(f"{name} contains a character that is not allowed in a header.")
    filled = tuple(
        (name, request_options.VARIABLE.sub(lambda match: values[match[1]], value))
        for name, value in config.headers.items()
    )
    return filled, tuple(values.values())


def replaces_key(config: RunConfig, backend: Backend) -> bool:
    """Whether a header replaces the Authorization header, as Azure's api-key does."""
    named = backend.key_env in request_options.variables(config.headers)
    return named or any(name.lower() == "authorization" for name in config.headers)


def _check_variable(name: str, backend: Backend) -> None:
    """Check that a variable belongs to the backend. Otherwise anyone who can start a run could have
    any variable of this machine sent anywhere."""
    prefix = backend.header_env
    if prefix is None:
        raise BackendProblem(f"A header for {backend.label} cannot name a variable ({name[:80]}).")
    if name != backend.key_env and not name.startswith(prefix):
        keys = f"{backend.key_env} or a variable" if backend.key_env else "a variable"
        raise BackendProblem(
            f"A header for {backend.label} may name {keys} that begins with {prefix}, but "
            f"not {name[:80]}."
        )
