"""Output and imports: charts, tables, files, text for a terminal.

Input: runs, and what `analysis` and `studies` say about them. Output: charts and files that contain
no key, no path and, unless their owner wants it, no prompt. Tables to extend: `charts.CHARTS`,
`export.EXPORTS`, `imports.IMPORTS`.
"""
