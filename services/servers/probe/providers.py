"""Checks a model with LiteLLM, without a request: its provider, and the key it needs."""

from __future__ import annotations

import os


def problem_of(model: str, key: str | None) -> str | None:
    """Return why LiteLLM cannot address `model`, as a sentence; None if it can.

    Imports LiteLLM, which takes seconds of CPU: call it in a thread.
    """
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it downloads the map at import
    import litellm
    from litellm.exceptions import BadRequestError

    litellm.suppress_debug_info = True  # else it prints
    provider = model.partition("/")[0]
    try:
        _, provider_name, *_ = litellm.get_llm_provider(model)
    except BadRequestError:
        return f"LiteLLM knows no provider {provider!r}. See docs.litellm.ai/docs/providers."
    missing = litellm.validate_environment(model)["missing_keys"]
    if key or not missing:
        return None
    names = " and ".join(f"{name}=…" for name in missing)
    return f"LiteLLM needs {names} for {provider_name}: put that into .env."
