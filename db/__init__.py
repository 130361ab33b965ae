"""Remember: SQLAlchemy Core on SQLite, or PostgreSQL by a URL. Only plain values leave db."""
