"""Alembic's entry: runs the scripts on the connection, and in the transaction, of `upgrade`."""

from alembic import context

from db.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
