"""What measurements mean: metrics, statistics, diagnostics, comparisons, verdicts, thresholds.

In come stored runs, out come numbers with their uncertainty and sentences about them. Pure: no
sockets, no clock, no environment. The tables to add to: `metrics.METRICS`, `diagnostics.CHECKS`,
`compare.rows.COMPARED`.
"""
