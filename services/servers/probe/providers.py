"""What LiteLLM knows of a model without asking anybody: its provider, and which key it wants."""

from __future__ import annotations

import os


def unknown(model: str, key: str | None) -> str | None:
    """Return what keeps LiteLLM from asking `model`, as a sentence; None: nothing that it knows of.

    Imports LiteLLM, which takes seconds of CPU: call it in a thread.
    """
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it asks the internet at import
    import litellm
    from litellm.exceptions import BadRequestError

    litellm.suppress_debug_info = True  # else it prints
    provider = model.partition("/")[0]
    try:
        _, found, *_ = litellm.get_llm_provider(model)
    except BadRequestError:
        return f"LiteLLM knows no provider {provider!r}. See docs.litellm.ai/docs/providers."
    missing = litellm.validate_environment(model)["missing_keys"]
    if key or not missing:
        return None
    names = " and ".join(f"{name}=…" for name in missing)
    return f"LiteLLM needs {names} for {found}: put that into .env."
