"""Servers: what one is before it is measured, what it says of itself, what it does meanwhile, and
the engines that Paceline starts itself.

In comes an address or an engine's configuration; out go facts, samples and sentences about what is
wrong. The table to add to: `engines/table.py`.
"""
