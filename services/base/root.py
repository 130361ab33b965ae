"""Where Paceline lies. Apart from the settings, whose package the nodes of a Ray cluster lack."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
