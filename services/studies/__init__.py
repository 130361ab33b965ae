"""Studies: runs that differ in one or two things, and what they show together.

Input: a grid of engines and loads. Output: the runs to measure and, afterwards, a report: how it
scales, which configuration is best, and how certain that is. Table to extend: `presets.PRESETS`.
"""

from __future__ import annotations

from services.studies.cell import Cell as Cell
from services.studies.cell import MeasuredCell as MeasuredCell
