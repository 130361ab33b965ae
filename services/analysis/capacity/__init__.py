"""Capacity: the highest load at which a server meets its objectives, with an interval.

Input: observations, one for each probe: how many requests missed each objective at a load. Output:
the load to probe next, the capacity with its 95 % interval, and whether one server's capacity is
higher than another's. A load is sustained if the share of requests that miss an objective, in the
long run, is not above what it allows, and the queue does not grow; misses are assumed to rise with
it.
"""

from services.analysis.capacity.estimate import QUEUE, Estimate, estimate, sustained
from services.analysis.capacity.hysteresis import Recovery, recovery_of, valid_observations
from services.analysis.capacity.objective import USUAL, Objective, label_of, parse_objectives
from services.analysis.capacity.observation import Misses, Observation, observe
from services.analysis.capacity.ratio import (
    CapacityRatio,
    RatioBound,
    capacity_ratio,
    ratio_bound,
)
from services.analysis.capacity.search import FEW, Conclusion, Search, Step, next_step
from services.analysis.capacity.starts import ratio_over_starts

__all__ = [
    "FEW",
    "QUEUE",
    "USUAL",
    "CapacityRatio",
    "Conclusion",
    "Estimate",
    "Misses",
    "Objective",
    "Observation",
    "RatioBound",
    "Recovery",
    "Search",
    "Step",
    "capacity_ratio",
    "estimate",
    "label_of",
    "next_step",
    "observe",
    "parse_objectives",
    "ratio_bound",
    "ratio_over_starts",
    "recovery_of",
    "sustained",
    "valid_observations",
]
