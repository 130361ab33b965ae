"""Output and imports: charts, tables, files, text for a terminal.

Input: runs, and what `analysis` and `studies` say about them. Output: charts and files that contain
no key, no path and, unless their owner wants it, no prompt. Tables to extend: `charts.CHARTS`,
`export.EXPORTS`, `imports.IMPORTS`. A chart is a function in a module of `charts`, and an entry in
its table.
"""
