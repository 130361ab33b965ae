"""Measure and compute: no Streamlit, no database.

Eight rooms. What is asked (`ask`) goes over the `wire` to `servers`, offered as `load`; what is
seen is worked out in `analysis` and `studies`, and shown by `report`. `base` is beneath them all.
"""

VERSION = "0.1.0"
