"""Links: to this page, and to a read-only copy of it that works until it is revoked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from db import shares
from db.database import opened
from db.shares import Share, ShareNotFound
from pages.widgets import copyable, create_button, downloads
from pages.widgets.downloads import File, Load
from pages.widgets.panels import when
from pages.widgets.view import read_only, sentences, show_error
from services.base.errors import PacelineError
from services.base.units import many
from services.studies.capacity import Capacity
from services.studies.study import Study

DAYS = {"1 day": 1, "7 days": 7, "30 days": 30, "never": None}
PRIVATE = (
    "Anyone with the link can read the prompts and answers of the first 100 requests. Make sure "
    "they contain nothing private."
)


def of_runs(
    run_ids: Sequence[int],
    page: str,
    parameters: Mapping[str, str],
    judgement: Mapping[str, Any],
    load: Load,
    margin: float | None = None,
) -> None:
    """Show a popover with the links of these runs, with their objectives and files as on this
    page."""

    def publish(days: int | None, texts: bool) -> Share:
        return shares.publish(opened(), run_ids, days, texts, judgement, margin)

    with st.popover("Share", icon=":material/share:"):
        _links(run_ids, publish)
        downloads.of_runs(run_ids, load)
        _this_page(page, parameters)


def of_study(study: Study, files: Iterable[File]) -> None:
    """The same for a study, whose page does not contain prompts and answers."""

    def publish(days: int | None, texts: bool) -> Share:
        return shares.publish_study(opened(), study, days)

    with st.popover("Share", icon=":material/share:"):
        _links(study.run_ids, publish, False)
        downloads.buttons(files)
        _this_page("study", {"study": str(study.id)})


def of_capacity(capacity: Capacity, files: Iterable[File]) -> None:
    """The same for a capacity search."""

    def publish(days: int | None, texts: bool) -> Share:
        return shares.publish_capacity(opened(), capacity, days)

    with st.popover("Share", icon=":material/share:"):
        _links([probe.run_id for probe in capacity.probes], publish, False)
        downloads.buttons(files)
        _this_page("capacity", {"search": str(capacity.id)})


@st.fragment
@sentences()
def _links(
    run_ids: Sequence[int], publish: Callable[[int | None, bool], Share], with_texts: bool = True
) -> None:
    st.markdown("**Share link**")
    st.caption("A read-only snapshot with verdict, charts, tables and config.")
    key = create_button.key("share-create")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        expires_after = st.selectbox(
            "Expires after", list(DAYS), index=2, key="share-days", width=140
        )
        pressed = st.button("Create link", type="primary", icon=":material/add_link:", key=key)
    texts = with_texts and st.toggle("Include prompts and answers", key="share-texts")
    if texts:
        st.warning(PRIVATE, icon=":material/visibility:")
    if pressed:
        with _errors_shown():
            create_button.create(key, lambda: publish(DAYS[expires_after], texts))
            st.rerun()
    _created(shares.list_all(opened(), run_ids))


def _created(links: Sequence[Share]) -> None:
    """Show the newest link; the others are collapsed, so that the popover does not grow beyond the
    page."""
    for share in links[:1]:
        _row(share)
    if earlier := links[1:]:
        with st.expander(many(len(earlier), "earlier link")):
            for share in earlier:
                _row(share)


@contextmanager
def _errors_shown() -> Iterator[None]:
    try:
        yield
    except PacelineError as error:
        show_error(error)


def _row(share: Share) -> None:
    """Show one link, when it expires, and a button to revoke it."""
    copyable.show(f"{_address()}{share.path}", share.token)
    expiry = f"expires {when(share.expires_at)}" if share.expires_at else "never expires"
    texts = ", with prompts and answers" if share.texts else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Created {when(share.created_at)}, {expiry}{texts}")
        if read_only():
            return
        st.button(
            "Revoke",
            key=f"revoke-{share.token}",
            icon=":material/link_off:",
            on_click=_revoke,
            args=(share.token,),
        )


def _revoke(token: str) -> None:
    with sentences(), suppress(ShareNotFound):  # it was already revoked
        shares.revoke(opened(), token)


def _this_page(page: str, parameters: Mapping[str, str]) -> None:
    address = f"{_address()}/{page}?{urlencode(parameters, safe=',')}"
    st.markdown("**This page**")
    st.caption("For people who can open this Paceline server")
    copyable.show(address, "page")
    st.caption("Read-only")
    copyable.show(f"{address}&view=share", "read-only")


def _address() -> str:
    """The address of this server, as the browser sees it."""
    return st.context.url.split("?")[0].rsplit("/", 1)[0] if st.context.url else ""
