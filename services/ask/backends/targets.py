"""The target of a run: address, model, key and headers, from its config and the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import unquote, urlsplit

from services.ask.address import Address, InvalidAddress, Origin, machine, origin
from services.ask.backends import dialects
from services.ask.backends.errors import BackendProblem, KeyProblem
from services.ask.backends.headers import headers_of, replaces_key
from services.ask.backends.own_address import address, check_key_address, is_own, resolve_address
from services.ask.backends.proxy import proxy_for
from services.ask.backends.table import BACKENDS, Backend, find, value_of
from services.ask.backends.trust import Trust, UntrustedFile
from services.ask.config import Client, DialectName, RunConfig
from services.base.packaged_model import MODEL_NAME

TypedKeys = Mapping[Origin, str]  # by the origin for which each key was entered
NO_KEYS: TypedKeys = {}


@dataclass(frozen=True, slots=True)
class Target:
    """A backend with everything that a request needs. Its repr leaves out the secrets.

    `base_url` is None for the embedded engine until it runs (see `at`), and for a provider that
    LiteLLM addresses itself. An empty `model` means the first model in the server's list.
    """

    backend: str
    base_url: str | None
    model: str = ""
    key: str | None = field(default=None, repr=False)
    client: Client = "wire"
    proxy: str | None = field(default=None, repr=False)  # it may contain a password
    endpoint: str = ""  # its path, if the address includes one; otherwise that of the dialect
    query: str = ""  # of every request, without the question mark
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # with their secrets
    hidden: tuple[str, ...] = field(default=(), repr=False)  # the secrets in headers
    ca_file: str | None = None
    insecure_tls: bool = False
    chosen: DialectName | None = None  # the dialect, if the run chooses one

    def at(self, base_url: str) -> Target:
        """Return a copy with another base URL."""
        return replace(self, base_url=base_url, endpoint="", query="")

    def url(self, path: str) -> str:
        """Return the URL of `path` below the base URL, with the query."""
        query = f"?{self.query}" if self.query else ""
        return f"{self.base_url or ''}{path}{query}"

    @property
    def dialect(self) -> DialectName:
        """The dialect of the requests."""
        return dialects.resolved(self.chosen, self.client != "wire", self.endpoint, self.backend)

    @property
    def trust(self) -> Trust:
        """The certificates to trust."""
        return Trust(self.ca_file, self.insecure_tls)

    def with_model(self, model: str) -> Target:
        """Return a copy with another model."""
        return replace(self, model=model)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Secrets that are sent to the server or its proxy, to be removed from everything that is
        stored."""
        proxy = urlsplit(self.proxy or "")
        return tuple(filter(None, (self.key, unquote(proxy.password or ""), *self.hidden)))

    @property
    def netloc(self) -> str:
        """Host and port, for sentences."""
        return urlsplit(self.base_url or "").netloc


def target(config: RunConfig, env: Mapping[str, str], typed: TypedKeys = NO_KEYS) -> Target:
    """Return the address, model and key of a run's backend. A key in `typed` for its address takes
    precedence over the environment's.

    Raises:
        BackendProblem: there is no such backend, address or key, or the backend does not support
            the config.
    """
    backend = find(config.backend)
    if config.ignore_eos and not backend.supports_ignore_eos:
        raise BackendProblem(f"{backend.label} does not support ignore_eos. Turn it off.")
    if config.min_tokens and not backend.supports_min_tokens:
        raise BackendProblem(f"{backend.label} does not support min_tokens. Leave it empty.")
    model = model_of(config, env)
    if backend.kind == "embedded":
        return _embedded(config, model)
    if backend.kind == "litellm":
        return _litellm(config, backend, model, env)
    return _http(config, backend, model, env, typed)


def model_of(config: RunConfig, env: Mapping[str, str]) -> str:
    """Return the run's model, otherwise the one that the environment names, or "". Raises
    BackendProblem if there is no such backend."""
    return config.model.strip() or value_of(env, find(config.backend).model_env)


def lane(config: RunConfig, env: Mapping[str, str]) -> str:
    """Return the lane in which runs wait for each other: the host and port, or the name.

    Raises:
        BackendProblem: there is no such backend, or it has no address.
    """
    backend = find(config.backend)
    if backend.kind == "embedded":
        return backend.name
    if backend.kind == "litellm":
        provider = model_of(config, env).partition("/")[0]
        return f"{backend.name} {provider}".strip()
    return machine(address(backend, env, config.base_url))


def _http(
    config: RunConfig, backend: Backend, model: str, env: Mapping[str, str], typed: TypedKeys
) -> Target:
    resolved = resolve_address(backend, env, config.base_url, config.dialect)
    url = resolved.base_url
    own = is_own(backend, env, config.base_url)
    override = _key_override(config, backend, url, env, typed)
    if override and backend.key_env:
        env = {**env, backend.key_env: override}
    elif backend.needs_key and not own:
        raise KeyProblem(_withheld(backend, url))
    if config.client == "litellm":
        _check_litellm(config, resolved)
    dialects.check(config, backend, resolved.endpoint)
    _check_trust(config, backend)
    allowed = {backend.key_env} if override else set()
    headers, hidden = headers_of(config, backend, env, None if own else url, allowed)
    key = None
    if (own or override) and not replaces_key(config, backend):
        key = _key(backend, env, f"The key for {urlsplit(url).netloc}" if override else None)
    return Target(
        backend.name,
        url,
        model,
        key,
        config.client,
        _proxy(url, env),
        resolved.endpoint,
        resolved.query,
        headers,
        hidden,
        config.ca_file,
        config.insecure_tls,
        config.dialect,
    )


def _embedded(config: RunConfig, model: str) -> Target:
    if config.base_url:
        raise BackendProblem(
            "The embedded backend has no address: Paceline starts it. For an existing server, "
            "choose the backend url."
        )
    if config.key_env:
        raise BackendProblem("The embedded backend takes no key. Leave key_env empty.")
    if model not in ("", MODEL_NAME):
        raise BackendProblem(f"The embedded backend only serves {MODEL_NAME}. Leave model empty.")
    dialects.check(config, BACKENDS["embedded"])
    headers, _ = headers_of(config, BACKENDS["embedded"], {}, None)
    return Target(
        "embedded",
        None,
        MODEL_NAME,
        client=config.client,
        headers=headers,
        chosen=config.dialect,
    )


def _litellm(config: RunConfig, backend: Backend, model: str, env: Mapping[str, str]) -> Target:
    if config.base_url:  # LiteLLM would send the provider's key there
        raise BackendProblem("LiteLLM knows its providers' addresses. Leave the address empty.")
    provider, slash, name = model.partition("/")
    if not (provider and slash and name) or "://" in model:
        raise BackendProblem(
            'LiteLLM needs a model prefixed with its provider, such as "anthropic/claude-…": '
            "enter one, or put LITELLM_MODEL=… in .env."
        )
    if config.key_env:  # it belongs to an address, and LiteLLM's providers have none here
        raise BackendProblem("key_env does not apply to LiteLLM. Leave it empty.")
    if config.ca_file or config.insecure_tls:
        raise BackendProblem("ca_file and insecure_tls do not apply to LiteLLM. Leave them out.")
    dialects.check(config, backend)
    own = provider == value_of(env, backend.model_env).partition("/")[0]
    headers, _ = headers_of(config, backend, {}, None)
    key = _key(backend, env) if own else None
    return Target(backend.name, None, model, key, "litellm", headers=headers)


def _key_override(
    config: RunConfig, backend: Backend, url: str, env: Mapping[str, str], typed: TypedKeys
) -> str | None:
    """Return the key that takes precedence over the environment's: an entered one, or the value of
    the variable that the run names."""
    if backend.key_env is None:
        if config.key_env:
            raise BackendProblem(f"{backend.label} takes no key. Leave key_env empty.")
        return None
    if typed_key := typed.get(origin(url)):
        return typed_key
    if not config.key_env:
        return None
    check_key_address(config.key_env, url, env)
    if not (key := value_of(env, config.key_env)):
        raise KeyProblem(f"{config.key_env} is not set: put {config.key_env}=… in .env.")
    return key


def _key(backend: Backend, env: Mapping[str, str], label: str | None = None) -> str | None:
    key = value_of(env, backend.key_env)
    if not key and backend.needs_key:
        raise KeyProblem(f"{backend.label} needs a key: put {backend.key_env}=… in .env.")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise BackendProblem(
            f"{label or backend.key_env} contains a space or another character that is not "
            "allowed in a key."
        )
    return key or None


def _check_litellm(config: RunConfig, address: Address) -> None:
    if address.endpoint or address.query:
        raise BackendProblem(
            "LiteLLM builds the address of a request itself. Leave out the endpoint and the "
            "query, or measure with Paceline's own client."
        )
    if config.ca_file or config.insecure_tls:
        raise BackendProblem(
            "LiteLLM uses this machine's certificates only. Leave ca_file and insecure_tls out, "
            "or measure with Paceline's own client."
        )


def _check_trust(config: RunConfig, backend: Backend) -> None:
    if config.insecure_tls and backend.needs_key:
        raise BackendProblem(
            f"The certificate of {backend.label} is always checked. Turn insecure_tls off, or set "
            "ca_file to the certificates of your gateway."
        )
    if config.ca_file:
        try:
            Trust(config.ca_file).context()
        except UntrustedFile as error:
            raise BackendProblem(str(error)) from None


def _proxy(url: str, env: Mapping[str, str]) -> str | None:
    try:
        return proxy_for(url, env)
    except InvalidAddress as error:
        raise BackendProblem(str(error)) from None


def _withheld(backend: Backend, url: str) -> str:
    return (
        f"{backend.key_env} is not sent to {urlsplit(url).netloc}: it belongs to "
        f"{backend.label}. For another server, choose the backend url."
    )
