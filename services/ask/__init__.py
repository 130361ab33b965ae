"""What is asked, and what is seen: a config, its schedule and prompts, the backend it is sent to,
the price and the plan of it; and the measurement that comes back.

In comes what a person chose, as a form, flags or JSON; out go frozen values. Nothing is sent from
here. The tables to add to: `backends/table.py`, `modes`, `workloads`.
"""
