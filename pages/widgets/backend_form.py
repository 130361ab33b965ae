"""The first section of the form: the backend, its address and its model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from pages.widgets import fields
from pages.widgets.api_keys import TITLE, typed
from pages.widgets.url_state import touched
from pages.widgets.view import only_saved, plain
from services.ask.address import Origin
from services.ask.backends import BACKENDS, BackendProblem, target
from services.ask.config import RunConfig, parse
from services.ask.only_saved import EMBEDDED
from services.ask.problems import InvalidConfig
from services.ask.saved_server import SavedServer, without_server
from services.base import settings
from services.base.units import letter, seconds
from services.servers.check_backend import Listing, QuickCheck, models, quick_check


@st.cache_data(ttl=10, show_spinner="Asking the server for its models …", max_entries=50)
def listed(
    backend: str,
    base_url: str | None,
    keys: tuple[tuple[Origin, str], ...],
    key_env: str | None = None,
) -> Listing:
    """Return the models, or the problem. `keys` are the entered ones; the cache keeps only a hash
    of them."""
    return models(backend, base_url, settings.environment(), dict(keys), key_env)


@st.cache_data(ttl=30, show_spinner=False, max_entries=50)
def server_state(
    backend: str, base_url: str | None, keys: tuple[tuple[Origin, str], ...]
) -> QuickCheck:
    """Return the state that a server reports. `keys`: see `listed`."""
    return quick_check(backend, base_url, settings.environment(), dict(keys))


def ask(
    initial: RunConfig,
    env: Mapping[str, str],
    key_prefix: str = "",
    saved: Mapping[str, SavedServer] | None = None,
) -> dict[str, Any]:
    """Ask for server, address and model; return backend, base_url and model of a RunConfig, and for
    a saved server all of its fields. `key_prefix` distinguishes the widgets of a comparison's
    candidates; it is empty for the first."""
    servers = saved or {}
    options = [*servers, *([EMBEDDED] if only_saved() else BACKENDS)]
    named = next(
        (name for name, server in servers.items() if is_server_of(server, initial)),
        initial.backend,
    )
    if only_saved() and named not in options:
        named = EMBEDDED
    keyed = fields.keyed(f"{key_prefix}backend", named)
    if only_saved() and st.session_state[keyed["key"]] not in options:
        st.session_state[keyed["key"]] = EMBEDDED  # it was deleted
    chosen = st.selectbox(
        "Server",
        options,
        format_func=lambda name: BACKENDS[name].label if name in BACKENDS else name,
        accept_new_options=not only_saved(),
        help="Choose the embedded model or a server that an admin saved."
        if only_saved()
        else "Choose a backend or a saved server, or type an address.",
        **keyed,
    )
    chosen = chosen or EMBEDDED
    if chosen in servers:
        return _saved_fields(servers[chosen])
    name = chosen if chosen in BACKENDS else "url"
    base_url = chosen.strip() if name != chosen else None
    if base_url is not None:
        fields.show_problem(fields.problem(RunConfig, "base_url", base_url))
    elif BACKENDS[name].kind == "http":
        base_url = _address_field(name, initial, key_prefix)
    model = _model_field(name, base_url, initial, env, key_prefix)
    return {"backend": name, "base_url": base_url, "model": model}


def show_state(backend: str, base_url: str | None) -> None:
    """Show next to the name whether a server answers, and its reported state."""
    if BACKENDS[backend].kind == "embedded":
        st.badge("starts with the run", color="green", icon=":material/check:")
    listing = _models(backend, base_url)
    if BACKENDS[backend].kind != "http" or listing.problem or not listing.models:
        return  # the model field shows the problem
    state = server_state(backend, base_url, tuple(typed().items()))
    with st.container(horizontal=True, gap="xsmall"):
        st.badge("reachable", color="green", icon=":material/check:")
        if state.engine:
            st.badge(plain(state.engine), color="gray")
        if state.rtt_s is not None:
            st.badge(f"round trip {seconds(state.rtt_s)}", color="blue")


def is_server_of(server: SavedServer, start: RunConfig) -> bool:
    """Whether a run uses a saved server with all of its fields."""
    values = server.values
    if any(getattr(start, name) != value for name, value in values.items() if name != "model"):
        return False
    return start.model in (values["model"], _with_model(values)["model"])


def on_server(start: RunConfig, server: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a run on a server that was chosen. What `start` has for its own server,
    such as headers and a price, is not sent to another one."""
    same = all(getattr(start, name) == server[name] for name in ("backend", "base_url"))
    return (start if same else without_server(start)).model_dump() | dict(server)


def _saved_fields(server: SavedServer) -> dict[str, Any]:
    """Show the fields of a saved server, and return them."""
    values = server.values
    address = values["base_url"] or "the default address"
    parts = [BACKENDS[values["backend"]].label, address, values["model"]]
    st.caption(plain(" · ".join(filter(None, parts))))
    listing = _models(values["backend"], values["base_url"], values["key_env"])
    if listing.problem:
        st.warning(plain(listing.problem), icon=":material/cloud_off:")
    return _with_model(values)


def _with_model(values: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a saved server; without a model of its own, with the first it lists."""
    if values["model"]:
        return values
    listing = _models(values["backend"], values["base_url"], values["key_env"])
    return values | {"model": listing.models[0] if listing.models else ""}


def all_ready(configs: Sequence[RunConfig], cards: bool = False) -> bool:
    """Warn about servers to which no run can be sent, with a link to each one's card if there are
    `cards`; return whether all are ready."""
    problems: dict[str, tuple[int, str]] = {}  # the first config with each, and a sentence
    for index, config in enumerate(configs):
        name = f"Server {letter(index)}" if len(configs) > 1 else "The server"
        if (address := _refusing_address(config)) is not None:  # the form says what to do
            problems.setdefault(address, (index, f"{name} does not answer."))
        elif sentence := _missing_setting(config):
            problems.setdefault(sentence, (index, sentence))
    for index, sentence in problems.values():
        jump = f" [Show the server](#{anchor_of(index)})" if cards else ""
        st.warning(plain(sentence) + jump, icon=":material/cloud_off:")
    return not problems


def _refusing_address(config: RunConfig) -> str | None:
    """Return the server's address if it refused the connection when its models were last listed
    (cached for a few seconds), otherwise None."""
    return _models(config.backend, config.base_url).nothing_on


def _missing_setting(config: RunConfig) -> str | None:
    """Return a sentence on what is missing to send requests to the server: an address, a key or a
    model; None if nothing is."""
    try:
        server = target(config, settings.environment(), typed())
    except BackendProblem as error:
        return str(error)
    if server.model:
        return None
    return (
        f"No model is selected, and {server.netloc} lists none. Check that it is running "
        "and reload its models, or type a model name."
    )


def anchor_of(index: int) -> str:
    """Return the anchor of the card of the server at an index."""
    return f"server-{letter(index).lower()}"


def _address_field(backend: str, initial: RunConfig, key_prefix: str) -> str | None:
    text = st.text_input(
        fields.label("base_url"),
        placeholder=BACKENDS[backend].base_url or "http://127.0.0.1:8000/v1",
        help="Leave empty for the address from the environment, or else the default shown.",
        **fields.keyed(
            f"{key_prefix}base_url-{backend}", _initial_value("base_url", backend, initial) or ""
        ),
    )
    fields.show_problem(fields.problem(RunConfig, "base_url", text))
    return text.strip() or None


def _model_field(
    backend: str,
    base_url: str | None,
    initial: RunConfig,
    env: Mapping[str, str],
    key_prefix: str,
) -> str:
    """Ask for the model, with those of the link or earlier run, of the environment, and of the
    server as options."""
    listing = _models(backend, base_url)
    if listing.problem:
        _listing_problem(listing, key_prefix)
    same_address = base_url == _initial_value("base_url", backend, initial)
    from_link = _initial_value("model", backend, initial) if same_address else ""
    from_env = env.get(BACKENDS[backend].model_env or "", "").strip()
    typed_key = f"{fields.PREFIX}{key_prefix}typed-model-{backend}"
    models = list(dict.fromkeys(filter(None, [from_link, from_env, *listing.models])))
    if not models and (typed_before := st.session_state.get(typed_key)):
        models = [typed_before]  # for another address, which lists none
    default = models[0] if models else None
    widget = fields.keyed(f"{key_prefix}model-{backend}-{base_url}", default)
    if models and st.session_state[widget["key"]] is None:
        st.session_state[widget["key"]] = default  # the server was started since
    model = st.selectbox(
        "Model",
        models,
        index=0 if models else None,
        accept_new_options=True,
        placeholder="provider/model" if backend == "litellm" else "Type a model name",
        help="The models that the server lists. You can also type another name.",
        **widget,
    )
    name = (model or "").strip()
    if name and name not in listing.models:
        st.session_state[typed_key] = name
    return name


def _listing_problem(listing: Listing, key_prefix: str) -> None:
    """Show why the server's models are unknown, and a button that tries again."""
    key_hint = f" You can also enter one under “{TITLE}”." if listing.wants_key else ""
    st.warning(plain(f"{listing.problem}{key_hint}"), icon=":material/cloud_off:")
    st.button(
        "Reload models",
        key=f"{fields.PREFIX}{key_prefix}again",
        icon=":material/refresh:",
        type="tertiary",
        on_click=_reload_models,
        help="Ask the server for its models again",
    )


def _models(backend: str, base_url: str | None, key_env: str | None = None) -> Listing:
    if BACKENDS[backend].kind == "litellm":
        return Listing()  # LiteLLM's providers do not list their models
    try:
        parse({"base_url": base_url})
    except InvalidConfig:
        return Listing()  # the page reports what is wrong with the address
    return listed(backend, base_url, tuple(typed().items()), key_env)


def _initial_value(field: str, backend: str, initial: RunConfig) -> Any:
    """Return the value of a field in the link or earlier run if that is for `backend`, otherwise
    the default."""
    return getattr(initial if initial.backend == backend else RunConfig(), field)


def _reload_models() -> None:
    touched()
    listed.clear()
