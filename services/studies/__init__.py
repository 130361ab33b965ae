"""Studies: runs that differ in one thing or two, and what they say together.

In comes a grid of engines and loads; out go the runs to measure, and afterwards a report: how it
scales, which configuration is best, and how sure that is. The table to add to: `presets.PRESETS`.
"""

from __future__ import annotations

from services.studies.cell import Cell as Cell
from services.studies.cell import MeasuredCell as MeasuredCell
