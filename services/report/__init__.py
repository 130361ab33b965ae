"""What is shown, and what is brought in: charts, tables, files, text for a terminal, imports.

In come runs and what `analysis` and `studies` say of them; out come charts and files that hold no
key, no path and, unless their owner wants it, no prompt. The tables to add to: `charts.CHARTS`,
`export.EXPORTS`, `imports.IMPORTS`.
"""
