"""To whom a run is sent: one table of backends, and how one of them is addressed.

A key goes to the address that its owner wrote beside it, or typed it for, and nowhere else. A run
may name another address, and whoever can ask for a run could otherwise have the key sent to a
server of theirs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal
from urllib.parse import unquote, urlsplit

from services.ask import request_options
from services.ask.backends.address import InvalidAddress, Origin, Place, machine, origin, place
from services.ask.backends.proxy import proxy_for
from services.ask.backends.trust import Trust, UntrustedFile
from services.ask.config import Client, RunConfig
from services.base.packaged_model import MODEL_NAME

Kind = Literal["embedded", "openai", "litellm"]
TypedKeys = Mapping[Origin, str]  # each by the origin that it was typed for
NO_KEYS: TypedKeys = {}


class BackendProblem(ValueError):
    """A backend that cannot be asked, in a sentence that says why and what to do."""


class KeyProblem(BackendProblem):
    """A key is missing, or refused; `details` is what the server answered, if it was asked."""

    def __init__(self, sentence: str, details: str = "") -> None:
        super().__init__(sentence)
        self.details = details


@dataclass(frozen=True, slots=True)
class Backend:
    """One entry of the table. `base_url` is the default; `*_env` name environment variables."""

    name: str
    label: str
    kind: Kind
    base_url: str | None = None
    url_env: str | None = None
    key_env: str | None = None
    model_env: str | None = None
    needs_key: bool = False
    start_hint: str = ""  # the command that starts it at its default address
    knows_ignore_eos: bool = False
    dialect: Literal["openai", "ollama"] = "openai"  # see wire_formats.py

    @property
    def header_env(self) -> str | None:
        """How the names of the variables begin that a header may name; None: it may name none."""
        named = self.url_env or self.key_env
        if self.kind != "openai" or named is None:
            return None
        return named.removesuffix("_BASE_URL").removesuffix("_API_KEY") + "_HEADER_"


@dataclass(frozen=True, slots=True)
class Target:
    """A backend with everything that a request needs. The key is in no repr, nor is the proxy.

    `base_url` is None for the embedded engine until it runs (see `at`), and for a provider that
    LiteLLM addresses itself. An empty `model` stands for the first that the server lists.
    """

    backend: str
    base_url: str | None
    model: str = ""
    key: str | None = field(default=None, repr=False)
    client: Client = "wire"
    proxy: str | None = field(default=None, repr=False)  # it may hold a password
    endpoint: str = ""  # its path, where the address gives it whole; else the dialect's is asked
    query: str = ""  # of every question, without the question mark
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # with their secrets
    hidden: tuple[str, ...] = field(default=(), repr=False)  # what must be quoted nowhere: those
    ca_file: str | None = None
    insecure_tls: bool = False

    def at(self, base_url: str) -> Target:
        """Return the same target at the address where its engine now answers."""
        return replace(self, base_url=base_url, endpoint="", query="")

    def url(self, path: str) -> str:
        """Return the address of `path`, which stands below the base URL, with the query."""
        query = f"?{self.query}" if self.query else ""
        return f"{self.base_url or ''}{path}{query}"

    @property
    def trust(self) -> Trust:
        """Return whose certificates are taken."""
        return Trust(self.ca_file, self.insecure_tls)

    def named(self, model: str) -> Target:
        """Return the same target with a model."""
        return replace(self, model=model)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return what goes to the server, or to its proxy, and may never be kept of an answer."""
        proxy = urlsplit(self.proxy or "")
        return tuple(filter(None, (self.key, unquote(proxy.password or ""), *self.hidden)))

    @property
    def netloc(self) -> str:
        """Return the host and port, as a sentence names them."""
        return urlsplit(self.base_url or "").netloc


def target(config: RunConfig, env: Mapping[str, str], typed: TypedKeys = NO_KEYS) -> Target:
    """Find the address, model and key of a run's backend. A key that was typed for the address
    takes the place of the environment's.

    Raises:
        BackendProblem: no such backend, no address, no key, or a run that it cannot carry out.
    """
    backend = find(config.backend)
    if config.ignore_eos and not backend.knows_ignore_eos:
        raise BackendProblem(f"{backend.label} does not know ignore_eos. Switch it off.")
    model = config.model.strip() or _value(env, backend.model_env)
    if backend.kind == "embedded":
        return _embedded(config, model)
    if backend.kind == "litellm":
        return _litellm(config, backend, model, env)
    where = _place(backend, env, config.base_url)
    url = where.base_url
    own = is_own(backend, env, config.base_url)
    given = typed.get(origin(url)) if backend.key_env else None
    if given and backend.key_env:
        env = {**env, backend.key_env: given}
    elif backend.needs_key and not own:
        raise KeyProblem(_withheld(backend, url))
    if config.client == "litellm":
        _check_litellm(config, where)
    _check_trust(config, backend)
    sent = {backend.key_env} if given else set()
    headers, hidden = _headers(config, backend, env, url if not own else None, sent)
    goes = (own or given) and not _replaces_key(config, backend)
    key = (
        _key(backend, env, f"The key for {urlsplit(url).netloc}" if given else None)
        if goes
        else None
    )
    return Target(
        backend.name,
        url,
        model,
        key,
        config.client,
        _proxy(url, env),
        where.endpoint,
        where.query,
        headers,
        hidden,
        config.ca_file,
        config.insecure_tls,
    )


def lane(config: RunConfig, env: Mapping[str, str]) -> str:
    """Return what runs of a backend wait for each other on: its host and port, or its name.

    Raises:
        BackendProblem: there is no such backend, or it has no address.
    """
    backend = find(config.backend)
    if backend.kind == "embedded":
        return backend.name
    if backend.kind == "litellm":
        provider = (config.model or _value(env, backend.model_env)).partition("/")[0]
        return f"{backend.name} {provider}".strip()
    return machine(address(backend, env, config.base_url))


def find(name: str) -> Backend:
    """Return the entry called `name`.

    Raises:
        BackendProblem: there is none.
    """
    if name not in BACKENDS:
        raise BackendProblem(f"There is no backend {name[:80]!r}. Choose one of {_names()}.")
    return BACKENDS[name]


def address(backend: Backend, env: Mapping[str, str], asked: str | None = None) -> str:
    """Return the base URL: the one asked for, else the environment's, else the default.

    Raises:
        BackendProblem: there is none, or it is not an address.
    """
    return _place(backend, env, asked).base_url


def is_own(backend: Backend, env: Mapping[str, str], asked: str | None) -> bool:
    """Return whether an address is the backend's own, to which the environment's key goes.

    Raises:
        BackendProblem: it is not an address.
    """
    return not asked or origin(_place(backend, env, asked).base_url) == _own_origin(backend, env)


def has_key(backend: Backend, env: Mapping[str, str]) -> bool | None:
    """Return whether the backend's key is set; None: it takes none."""
    return None if backend.key_env is None else bool(_value(env, backend.key_env))


def _embedded(config: RunConfig, model: str) -> Target:
    if config.base_url:
        raise BackendProblem(
            "The embedded backend has no address: Paceline starts it. For a server that is "
            "already there choose the backend url."
        )
    if model not in ("", MODEL_NAME):
        raise BackendProblem(f"The embedded backend serves {MODEL_NAME} only. Leave model empty.")
    headers, _ = _headers(config, BACKENDS["embedded"], {}, None)
    return Target("embedded", None, MODEL_NAME, client=config.client, headers=headers)


def _litellm(config: RunConfig, backend: Backend, model: str, env: Mapping[str, str]) -> Target:
    if config.base_url:  # the provider's key, which LiteLLM finds by itself, would go there
        raise BackendProblem("LiteLLM knows its providers' addresses. Leave the address empty.")
    provider, slash, name = model.partition("/")
    if not (provider and slash and name) or "://" in model:
        raise BackendProblem(
            'LiteLLM needs a model with its provider in front, such as "anthropic/claude-…": '
            "give one, or put LITELLM_MODEL=… into .env."
        )
    if config.ca_file or config.insecure_tls:
        raise BackendProblem("ca_file and insecure_tls do not apply to LiteLLM. Leave them out.")
    own = provider == _value(env, backend.model_env).partition("/")[0]
    headers, _ = _headers(config, backend, {}, None)
    key = _key(backend, env) if own else None
    return Target(backend.name, None, model, key, "litellm", headers=headers)


def _key(backend: Backend, env: Mapping[str, str], called: str | None = None) -> str | None:
    key = _value(env, backend.key_env)
    if not key and backend.needs_key:
        raise KeyProblem(f"{backend.label} needs a key: put {backend.key_env}=… into .env.")
    if not key.isascii() or not key.isprintable() or " " in key:
        what = called or backend.key_env
        raise BackendProblem(f"{what} holds a space or a character that no key has.")
    return key or None


def _headers(
    config: RunConfig,
    backend: Backend,
    env: Mapping[str, str],
    elsewhere: str | None,
    typed: Collection[str | None] = (),
) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """Return the headers with their variables' values, and those values. A variable is the owner's
    like the key, and goes where the key goes; `elsewhere`: the address is not the owner's, and gets
    only those that were `typed` for it."""
    values = {}
    for name in request_options.variables(config.headers):
        _check_variable(name, backend)
        if elsewhere and name not in typed:
            raise BackendProblem(
                f"{name} is not sent to {urlsplit(elsewhere).netloc}: it goes to the address in "
                f"{backend.url_env or backend.label} only. Put this address there."
            )
        values[name] = _value(env, name)
        if not values[name]:
            raise BackendProblem(f"A header needs {name}: put {name}=… into .env.")
        if not values[name].isascii() or not values[name].isprintable():
            raise BackendProblem(f"{name} holds a character that no header has.")
    filled = tuple(
        (name, request_options.VARIABLE.sub(lambda found: values[found[1]], said))
        for name, said in config.headers.items()
    )
    return filled, tuple(values.values())


def _check_variable(name: str, backend: Backend) -> None:
    """Only what was put beside the address is sent: whoever can ask for a run could otherwise have
    any variable of this machine sent somewhere."""
    prefix = backend.header_env
    if prefix is None:
        raise BackendProblem(f"A header for {backend.label} cannot name a variable ({name[:80]}).")
    if name != backend.key_env and not name.startswith(prefix):
        keys = f"{backend.key_env} or a variable" if backend.key_env else "a variable"
        raise BackendProblem(
            f"A header for {backend.label} may name {keys} that begins with {prefix}, and not "
            f"{name[:80]}."
        )


def _replaces_key(config: RunConfig, backend: Backend) -> bool:
    """Whether a header takes the place of the key's own: Azure has the key under another name."""
    named = backend.key_env in request_options.variables(config.headers)
    return named or any(name.lower() == "authorization" for name in config.headers)


def _check_litellm(config: RunConfig, where: Place) -> None:
    if where.endpoint or where.query:
        raise BackendProblem(
            "LiteLLM builds the address of a request itself. Give it without an endpoint and a "
            "query, or measure with Paceline's own client."
        )
    if config.ca_file or config.insecure_tls:
        raise BackendProblem(
            "LiteLLM takes this machine's certificates only. Leave ca_file and insecure_tls out, "
            "or measure with Paceline's own client."
        )


def _check_trust(config: RunConfig, backend: Backend) -> None:
    if config.insecure_tls and backend.needs_key:
        raise BackendProblem(
            f"The certificate of {backend.label} is always checked. Switch insecure_tls off, or "
            "give the certificates of a gateway as ca_file."
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
        f"{backend.label}. For another server choose the backend url."
    )


def _own_origin(backend: Backend, env: Mapping[str, str]) -> Origin | None:
    try:
        return origin(address(backend, env))
    except BackendProblem:
        return None  # no address of its own, or a broken one: nothing that a key belongs to


def _place(backend: Backend, env: Mapping[str, str], asked: str | None) -> Place:
    if asked:
        return _taken_apart(asked, "The address")
    found = _value(env, backend.url_env) or backend.base_url
    if not found:
        raise BackendProblem(
            f"{backend.label} needs an address: give one, or put {backend.url_env}=… into .env."
        )
    return _taken_apart(found, backend.url_env or "The address")


def _taken_apart(written: str, what: str) -> Place:
    try:
        return place(written, what)
    except InvalidAddress as error:
        raise BackendProblem(str(error)) from None


def _value(env: Mapping[str, str], name: str | None) -> str:
    return env.get(name, "").strip() if name else ""


def _names() -> str:
    *most, last = BACKENDS
    return f"{', '.join(most)} and {last}"


_ENTRIES = (
    Backend("embedded", "Embedded llama.cpp", "embedded", knows_ignore_eos=True),
    Backend(
        name="sglang",
        label="SGLang",
        kind="openai",
        base_url="http://127.0.0.1:30010/v1",
        url_env="SGLANG_BASE_URL",
        key_env="SGLANG_API_KEY",
        model_env="SGLANG_MODEL",
        start_hint="python -m sglang.launch_server --model-path Qwen/Qwen2.5-0.5B-Instruct "
        "--host 127.0.0.1 --port 30010",
        knows_ignore_eos=True,
    ),
    Backend(
        name="vllm",
        label="vLLM",
        kind="openai",
        base_url="http://127.0.0.1:8000/v1",
        url_env="VLLM_BASE_URL",
        key_env="VLLM_API_KEY",
        model_env="VLLM_MODEL",
        start_hint="vllm serve Qwen/Qwen2.5-0.5B-Instruct --host 127.0.0.1 --port 8000",
        knows_ignore_eos=True,
    ),
    Backend(
        name="groq",
        label="Groq",
        kind="openai",
        base_url="https://api.groq.com/openai/v1",
        key_env="GROQ_API_KEY",
        model_env="GROQ_MODEL",
        needs_key=True,
    ),
    Backend(
        name="openai",
        label="OpenAI",
        kind="openai",
        base_url="https://api.openai.com/v1",
        url_env="OPENAI_BASE_URL",
        key_env="OPENAI_API_KEY",
        model_env="OPENAI_MODEL",
        needs_key=True,
    ),
    Backend(
        name="ollama",
        label="Ollama",
        kind="openai",
        base_url="http://127.0.0.1:11434/v1",
        url_env="OLLAMA_BASE_URL",
        model_env="OLLAMA_MODEL",
        start_hint="OLLAMA_HOST=127.0.0.1:11434 ollama serve",
        dialect="ollama",
    ),
    Backend(
        name="url",
        label="OpenAI-compatible URL",
        kind="openai",
        url_env="PACELINE_URL",
        key_env="PACELINE_URL_API_KEY",
        model_env="PACELINE_URL_MODEL",
        knows_ignore_eos=True,  # whose server it is nobody knows: it is sent as asked
    ),
    Backend(
        name="litellm",
        label="LiteLLM",
        kind="litellm",
        key_env="LITELLM_API_KEY",
        model_env="LITELLM_MODEL",
    ),
)

BACKENDS: dict[str, Backend] = {entry.name: entry for entry in _ENTRIES}
