"""Private environment variables.

Engines that Paceline starts get none of them. Runs through LiteLLM, which reads its provider's
variables itself, get those of the process that submitted them.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

from services.base.secret_patterns import USER, names_secret

_PROVIDERS = (  # all of theirs: their keys have many names, and regions belong to them
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


def is_private(name: str, value: str = "") -> bool:
    """Return whether a variable holds a secret or a URL with a user, or belongs to a provider's
    account."""
    name = name.upper()
    return bool(name.startswith(_PROVIDERS) or names_secret(name, "variable") or USER.search(value))


def private(env: Mapping[str, str]) -> dict[str, str]:
    """Return the private variables of an environment, and its proxies."""
    return {name: value for name, value in env.items() if is_private(name, value) or is_proxy(name)}


def is_proxy(name: str) -> bool:
    """Return whether a variable names a proxy, or hosts to reach without one."""
    return name.lower().endswith("_proxy")


def without_user(address: str) -> str:
    """Return an address without the user and the password in it."""
    if "://" not in address:
        return address.rpartition("@")[2]
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
