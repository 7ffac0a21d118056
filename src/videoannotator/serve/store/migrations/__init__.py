"""How the tables came to be: one revision for each change of `schema`, from the first release on.

A revision that was released is never edited. A new one is a module in ``versions/``, named by its number, whose
``upgrade`` states what changes in words of Alembic (``op.batch_alter_table`` where SQLite must rebuild a table), not in
words of `schema`, which moves on. The tests hold the outcome against `schema` on both databases, empty and with data of
every earlier revision.
"""
