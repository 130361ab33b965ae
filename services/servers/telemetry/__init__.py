"""Samples a server while it is measured: its queue, its cache, its GPUs, its processes.

This is a separate process, `python -m services.servers.telemetry` (see `__main__`), so that the
client is not disturbed. The names of the series are in `ask/series.py`, their analysis in
`analysis/samples.py`.
"""
