"""Which names are those of secrets: variables of an environment, headers, parameters, and fields of
a request. The three rules differ where the same word means another thing in each.

An engine that Paceline starts gets none of the private variables, and a run through LiteLLM, which
finds its provider's under their own names, gets those of whoever submitted it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

_SECRET = re.compile(
    r"(?:^|_)\w*(?:KEYS?|SECRETS?|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?)(?:_|$)"
    r"|(?:^|_)(?:PASS|PAT|AUTH|COOKIE|DSN)(?:_|$)"
    r"|_HEADER_"  # what a request's headers may name, see docs/requests.md
    r"|TOKEN(?:$|_FILE$|_PATH$)"  # not MAX_TOKENS, nor TOKENIZERS_PARALLELISM
)
_PROVIDERS = (  # everything of theirs: their keys have further names, their regions go with them
    "ANTHROPIC_",
    "ANYSCALE_",
    "AWS_",
    "AZURE_",
    "BEDROCK_",
    "CLOUDFLARE_",
    "DATABRICKS_",
    "GCLOUD_",
    "GCP_",
    "GEMINI_",
    "GOOGLE_",
    "IBM_",
    "OCI_",
    "REPLICATE_",
    "SNOWFLAKE_",
    "VERTEX_",
    "VERTEXAI_",
    "WATSONX_",
    "WX_",
)
_KEY_NAME = re.compile(
    r"(?i)(^|[-_.])(api[-_]?key|key|secret|password|passwd|pwd|token|sig|signature|auth|"
    r"authorization|credentials?|cookie|bearer|jwt)($|[-_.])|apikey|subscription-key"
)
_SECRET_FIELD = re.compile(  # of a body, where stop_token and prompt_cache_key are none
    r"(?i)api[-_]?key|secret|passw|authorization|(access|auth|bearer)[-_]?token|credential"
    r"|^(auth|bearer|cookie|jwt|pwd|token)$"
)
_USER = re.compile(r"://[^/\s@]+@")  # in an address, perhaps with a password


def is_private(name: str, value: str = "") -> bool:
    """Return whether a variable holds a secret, belongs to a provider's account, or has an address
    with a user in it."""
    name = name.upper()
    return bool(name.startswith(_PROVIDERS) or _SECRET.search(name) or _USER.search(value))


def private(env: Mapping[str, str]) -> dict[str, str]:
    """Return those variables of an environment that are private, and its proxies."""
    return {name: value for name, value in env.items() if is_private(name, value) or is_proxy(name)}


def is_proxy(name: str) -> bool:
    """Return whether a variable names a proxy, or who is reached without one."""
    return name.lower().endswith("_proxy")


def without_user(address: str) -> str:
    """Return an address without the user and the password in it."""
    if "://" not in address:
        return address.rpartition("@")[2]
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def names_key(name: str) -> bool:
    """Return whether a header, a parameter or a field called `name` holds a secret: `x-api-key`,
    `access_token`, `sig`; not `max_tokens`, `api-version`."""
    return bool(_KEY_NAME.search(name))


def names_secret_field(name: str) -> bool:
    """Return whether a field of a request's body called `name` holds a secret."""
    return bool(_SECRET_FIELD.search(name))
