"""Analysis of runs: metrics, statistics, diagnostics, comparisons, verdicts, thresholds.

Input: stored runs. Output: numbers with their uncertainty, and sentences about them; a verdict is
worded in `compare/wording.py`. Pure: no sockets, no clock, no environment. Tables to extend:
`metrics.METRICS`, `diagnostics.CHECKS`, `compare.rows.COMPARED`.
"""
