"""OpenID Connect through Streamlit (`st.login`, Authlib): reading its cookie, and where to sign in.
The only file that knows Streamlit's internal functions for this."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from streamlit.auth_util import encode_provider_token, validate_auth_credentials
from streamlit.errors import StreamlitAuthError
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME
from streamlit.web.server.starlette.starlette_websocket import _get_signed_cookie_with_chunks

from services.base.roles import InvalidSignIn
from web.gate import email_in

PROVIDER = "default"  # the provider in [auth] of .streamlit/secrets.toml


def check_secrets() -> None:
    """Check that .streamlit/secrets.toml configures a provider for signing in.

    Raises:
        InvalidSignIn: it does not.
    """
    try:
        validate_auth_credentials(PROVIDER)
    except StreamlitAuthError as error:
        raise InvalidSignIn(
            "PACELINE_SIGN_IN is on, but [auth] in .streamlit/secrets.toml is incomplete: it needs "
            "redirect_uri, cookie_secret, client_id, client_secret and server_metadata_url. See "
            "docs/sign-in.md."
        ) from error


def email_of(cookies: Mapping[str, str]) -> str | None:
    """Return the e-mail address in the cookie that Streamlit signed; None if nobody has signed
    in."""
    return email_in(_get_signed_cookie_with_chunks(dict(cookies), USER_COOKIE_NAME))


def login() -> str:
    """Return the path that redirects to the provider, as `st.login` does."""
    return f"/auth/login?{urlencode({'provider': encode_provider_token(PROVIDER)})}"
