"""A shared page, for anyone who has its link."""

from __future__ import annotations

import gzip
import logging
import zlib

from starlette.requests import Request
from starlette.responses import Response

from db import shares
from db.database import UNUSABLE, message_of, opened
from services.report.export import notice_html, policy_of

GONE = "It was revoked, or it has expired. Ask the sender for a new link."
POLICY_WITHIN = 4096  # the beginning of a page, which contains its own policy

log = logging.getLogger("paceline.web")


def shared_page(request: Request) -> Response:
    """Answer with a shared page as it was made. Unknown, revoked and expired links get the same
    answer."""
    try:
        page = shares.load(opened(), request.path_params["token"])
    except UNUSABLE as error:
        log.warning("A shared page cannot be read. %s", message_of(error))
        return _notice(503, "This page is temporarily unavailable.", "Try again in a minute.")
    if page is None:
        return _notice(404, "This link does not work.", GONE)
    packed = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    policy = policy_of(zlib.decompressobj(wbits=31).decompress(page, POLICY_WITHIN))
    if "gzip" not in request.headers.get("accept-encoding", ""):
        page, packed = gzip.decompress(page), {"Vary": "Accept-Encoding"}
    return Response(page, media_type="text/html", headers=packed | _of_shared(policy))


def _notice(status: int, title: str, sentence: str) -> Response:
    page = notice_html(title, sentence)
    return Response(page, status, media_type="text/html", headers=_of_shared(policy_of(page)))


def _of_shared(policy: str) -> dict[str, str]:
    """The headers of a shared page. It contains text from users, so nothing in it may affect this
    server or reveal anything about it."""
    return {
        "Content-Security-Policy": f"{policy}; frame-ancestors 'none'; sandbox allow-scripts",
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Robots-Tag": "noindex",
    }
