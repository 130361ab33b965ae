"""Storage: SQLAlchemy Core on SQLite, or PostgreSQL by a URL. Only plain values leave it.

`schema` declares the tables. Runs are queried in `queue`, `runs`, `results` and `search`, saved
servers in `servers`, engines in `engines`.
"""
