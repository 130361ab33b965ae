"""Load: play a schedule against a server, in processes that do nothing else.

In comes one work item of a run (`worker.py`); out go measurements, in batches, and the client's own
health. `runner.py` is the one loop for every mode.
"""
