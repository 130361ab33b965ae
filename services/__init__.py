"""Measure and compute: no Streamlit, no database.

Eight packages. `ask` describes a run, `wire` sends a request and times it, `servers` observes
servers and starts engines, `load` sends the requests of a run; `analysis` and `studies` compute
what they show, and `report` presents it. `base` is beneath them all.
"""

VERSION = "0.1.0"
