"""Studies: runs that differ in one thing or two, and what they say together."""

from __future__ import annotations

from services.studies.cell import Cell as Cell
from services.studies.cell import Measured as Measured
