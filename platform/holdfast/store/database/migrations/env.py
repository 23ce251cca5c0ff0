"""Alembic's entry: runs the migrations inside the transaction that `migration.migrate` opened."""

from alembic import context

from holdfast.store.database.schema import metadata

connection = context.config.attributes.get("connection")
if connection is None:
    # `alembic upgrade --sql`: print the statements instead, for a database administrator to read.
    context.configure(
        url=context.config.get_main_option("sqlalchemy.url"), target_metadata=metadata, literal_binds=True
    )
else:
    context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
