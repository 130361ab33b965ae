"""The app where people sign in, without a provider: a cookie as Streamlit signs it for somebody
whom one has let in. That signing in itself works is what test_sign_in tests."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.sync_api import BrowserContext
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from tests.browser.conftest import App

ADMIN, RUNNER, VIEWER = "ada@example.org", "ray@example.org", "vera@example.org"
ROLES = {"PACELINE_ADMINS": ADMIN, "PACELINE_RUNNERS": RUNNER, "PACELINE_VIEWERS": VIEWER}
SECRET = "only-for-tests-only-for-tests-only-for-tests"
SECRETS = """[auth]
redirect_uri = "{url}/oauth2callback"
cookie_secret = "{secret}"
client_id = "paceline"
client_secret = "not-a-secret-of-anybody"
server_metadata_url = "http://127.0.0.1:9/.well-known/openid-configuration"
"""


def required(app: App, folder: Path) -> None:
    """Let an app that has not started ask people to sign in. `folder` is its home."""
    (folder / ".streamlit").mkdir()
    secrets = SECRETS.format(url=app.url, secret=SECRET)
    (folder / ".streamlit" / "secrets.toml").write_text(secrets)
    app.env |= ROLES | {"PACELINE_SIGN_IN": "on", "HOME": str(folder)}


def sign_in(context: BrowserContext, app: App, email: str) -> None:
    """Give a browser the cookie of somebody who has signed in."""
    claims = json.dumps({"email": email, "is_logged_in": True, "origin": app.url})
    value = create_signed_value(SECRET, USER_COOKIE_NAME, claims).decode()
    context.add_cookies([{"name": USER_COOKIE_NAME, "value": value, "url": app.url}])
