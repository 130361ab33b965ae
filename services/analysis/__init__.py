"""Analysis of runs: metrics, statistics, diagnostics, comparisons, verdicts, thresholds.

Input: stored runs. Output: numbers with their uncertainty, and sentences about them. Pure: no
sockets, no clock, no environment. Tables to extend: `metrics.METRICS`, `diagnostics.CHECKS`,
`compare.rows.COMPARED`.
"""
