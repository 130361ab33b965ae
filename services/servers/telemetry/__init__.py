"""What a server did while it was measured: its queue, its cache, its GPUs, its processes.

Sampled by a process of its own, `python -m services.servers.telemetry` (see `__main__`), so that
sampling costs the client nothing. The series have their names in `ask/series.py`, and what is
worked out of samples is in `analysis/samples.py`.
"""
