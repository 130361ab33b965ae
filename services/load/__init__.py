"""Load: play a schedule against a server, in processes that do nothing else.

Input: one work item of a run (`worker.py`). Output: measurements, in batches, and the client's own
health. `runner.py` is the one loop for all modes.
"""
