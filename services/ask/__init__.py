"""What to measure, and what was measured: a config, its schedule and prompts, the backend that they
are sent to, the price and the plan; and the measurements that come back.

Input: what a user chose, in a form, as flags or as JSON. Output: frozen values. Nothing is sent
from here. Tables to extend: `backends/table.py`, `modes`, `workloads`.
"""
