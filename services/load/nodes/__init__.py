"""Load from many machines: the nodes of a Ray cluster, with one load process each.

A worker (`pool.py`) starts a driver (`driver.py`) in Ray's environment, so that the worker does not
need Ray. The driver ships this package to the nodes, starts a `NodeActor` (`actor.py`) on each, and
carries the lines of `load/protocol.py` between the worker and their load processes.
"""
