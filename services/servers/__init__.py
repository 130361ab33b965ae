"""Servers: checks before a run, facts that a server reports about itself, samples during a run, and
the engines that Paceline starts.

Input: an address or an engine's configuration. Output: facts, samples and sentences about what is
wrong. Table to extend: `engines/table.py`.
"""
