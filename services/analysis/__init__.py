"""Analysis of runs: metrics, statistics, diagnostics, comparisons, verdicts, thresholds.

Takes stored runs and returns numbers with their uncertainty, and sentences about them. Pure: no
sockets, no clock, no environment. Tables to extend: `metrics.METRICS`, `diagnostics.CHECKS`,
`compare.rows.COMPARED`.
"""
