"""The form's first question: which backend, where it is, and which of its models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from pages.widgets import fields
from pages.widgets.api_keys import TITLE, typed
from pages.widgets.url_state import touched
from pages.widgets.view import plain
from services.ask.address import Origin
from services.ask.backends import BACKENDS, target
from services.ask.config import RunConfig, parse
from services.ask.problems import InvalidConfig
from services.base import settings
from services.servers.check_backend import Listing, models


@st.cache_data(ttl=10, show_spinner="Asking the server for its models …", max_entries=50)
def listed(backend: str, base_url: str | None, keys: tuple[tuple[Origin, str], ...]) -> Listing:
    """Return the models, or what is wrong. `keys`: typed ones, which the cache keeps as a hash."""
    return models(backend, base_url, settings.environment(), dict(keys))


def ask(start: RunConfig, env: Mapping[str, str], whose: str = "") -> dict[str, Any]:
    """Show backend, address and model; return those fields of a RunConfig. `whose`: the candidate
    of a comparison that is asked about, in the keys of its widgets; empty: the baseline."""
    name = st.selectbox(
        "Backend",
        list(BACKENDS),
        format_func=lambda name: BACKENDS[name].label,
        label_visibility="collapsed",
        **fields.keyed(f"{whose}backend", start.backend),
    )
    base_url = _address(name, start, whose) if BACKENDS[name].kind == "openai" else None
    return {
        "backend": name,
        "base_url": base_url,
        "model": _model(name, base_url, start, env, whose),
    }


def without_model(configs: Sequence[RunConfig]) -> str | None:
    """Return which server's model nobody has named, and what to do; None: every one has its own.

    Raises:
        BackendProblem: one of them goes to nobody.
    """
    for config in configs:
        whom = target(config, settings.environment(), typed())
        if not whom.model:
            return (
                f"No model is selected, and {whom.netloc} lists none. Check that it is running and "
                "reload its models, or type a model name."
            )
    return None


def all_listen(configs: Sequence[RunConfig]) -> bool:
    """Say which servers refused connections when the form asked them for their models, whose
    answers it keeps for a few seconds; return whether none did."""
    servers = dict.fromkeys((config.backend, config.base_url) for config in configs)
    addresses = dict.fromkeys(_models(*server).nothing_on for server in servers)
    refused = [address for address in addresses if address is not None]
    for address in refused:
        sentence = f"Nothing answers on {address}: start the server, or change the address."
        st.warning(plain(sentence), icon=":material/cloud_off:")
    return not refused


def _address(name: str, start: RunConfig, whose: str) -> str | None:
    text = st.text_input(
        fields.label("base_url"),
        placeholder=BACKENDS[name].base_url or "http://127.0.0.1:8000/v1",
        help="Leave empty for the address from the environment, or else the default shown.",
        **fields.keyed(f"{whose}base_url-{name}", _given("base_url", name, start) or ""),
    )
    fields.wrong(fields.problem(RunConfig, "base_url", text))
    return text.strip() or None


def _model(
    name: str, base_url: str | None, start: RunConfig, env: Mapping[str, str], whose: str
) -> str:
    listing = _models(name, base_url)
    if listing.problem:
        type_one = f" You can also enter one under “{TITLE}”." if listing.wants_key else ""
        st.warning(plain(listing.problem + type_one), icon=":material/cloud_off:")
        st.button(
            "Reload models",
            key=f"{fields.PREFIX}{whose}again",
            icon=":material/refresh:",
            type="tertiary",
            on_click=_forget,
            help="Ask the server for its models again",
        )
    own = env.get(BACKENDS[name].model_env or "", "").strip()
    given = _given("model", name, start) if base_url == _given("base_url", name, start) else ""
    options = list(dict.fromkeys(filter(None, [given, own, *listing.models])))
    widget = fields.keyed(f"{whose}model-{name}-{base_url}", options[0] if options else None)
    if options and st.session_state[widget["key"]] is None:
        st.session_state[widget["key"]] = options[0]  # the server has come up since
    chosen = st.selectbox(
        "Model",
        options,
        index=0 if options else None,
        accept_new_options=True,
        placeholder="provider/model" if name == "litellm" else "Type a model name",
        help="The models that the server lists. You can also type another name.",
        **widget,
    )
    return (chosen or "").strip()


def _models(name: str, base_url: str | None) -> Listing:
    if BACKENDS[name].kind == "litellm":
        return Listing()  # its providers are not asked
    try:
        parse({"base_url": base_url})
    except InvalidConfig:
        return Listing()  # the page says what is wrong with the address
    return listed(name, base_url, tuple(typed().items()))


def _given(field: str, backend: str, start: RunConfig) -> Any:
    """What the link or the earlier run says, if it is about this backend."""
    return getattr(start, field) if start.backend == backend else getattr(RunConfig(), field)


def _forget() -> None:
    touched()
    listed.clear()
