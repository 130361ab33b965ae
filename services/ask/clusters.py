"""Which Ray clusters may send the requests: those named in the settings.

Ray Client runs code that a cluster returns (pickle), and a cluster that sends requests sees the
key. So no link, scenario file or API call may choose a cluster that is not configured here.
"""

from __future__ import annotations

from collections.abc import Mapping

from services.ask.backends.errors import ClusterProblem
from services.ask.config import RunConfig

VARIABLE, EMBEDDED = "PACELINE_RAY_CLUSTERS", "embedded"


def check_cluster(config: RunConfig, env: Mapping[str, str]) -> None:
    """Check that the cluster to send a run's requests from, if there is one, is allowed and usable.

    Raises:
        ClusterProblem: the settings do not name it, or it cannot reach the embedded model.
    """
    if config.on is None:
        return
    if config.backend == EMBEDDED:
        raise ClusterProblem(
            "The embedded model only answers on this machine: choose a server that the nodes of "
            f"{config.on} can reach."
        )
    if config.on in clusters(env):
        return
    raise ClusterProblem(
        f"{config.on} is not a configured Ray cluster. A cluster receives the key and the prompts, "
        f"and Ray runs code that it returns: if you trust it, put {VARIABLE}={config.on} in .env."
    )


def clusters(env: Mapping[str, str]) -> tuple[str, ...]:
    """Return the clusters in the settings, where commas separate them."""
    return tuple(filter(None, (each.strip() for each in env.get(VARIABLE, "").split(","))))
