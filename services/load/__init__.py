"""Load: a schedule played against a server by processes that do nothing else.

In comes one work item of a run (`worker.py`); out go measurements, in batches, and how late the
client itself was. `runner.py` is the one loop for every mode.
"""
