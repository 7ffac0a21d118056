"""Upgrades: empty databases, databases with data, two servers at once, newer and foreign databases."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from procrastinate.schema import SchemaManager
from sqlalchemy import CheckConstraint, insert, inspect, select, text
from tests.serve.operating import filling

from videoannotator.serve import migrating
from videoannotator.serve.errors import DatabaseVersionError
from videoannotator.serve.store.database import Database
from videoannotator.serve.store.schema import metadata, users

_NEXT = '''
"""A revision of a later release, for the tests: it rebuilds the table that all others point to."""
import sqlalchemy as sa
from alembic import op

revision = "9001"
down_revision = "{last}"


def upgrade() -> None:
    with op.batch_alter_table("users", recreate="auto") as batch:
        batch.add_column(sa.Column("nick", sa.String(20), nullable=False, server_default="none"))
        batch.alter_column("name", type_=sa.String(150), existing_type=sa.String(100), existing_nullable=False)
{more}
'''


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database without any table."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    else:
        database = Database(request.getfixturevalue("postgres_url"))
        filling.drop_everything(database)
    yield database
    if not database.is_sqlite:
        filling.made_anew(database)
    database.close()


def later(folder: Path, monkeypatch: pytest.MonkeyPatch, more: str = "") -> None:
    """From here on this program knows one revision more."""
    last = migrating._known()[-1]
    folder.mkdir()
    (folder / "r9001_later.py").write_text(_NEXT.format(last=last, more=more))
    monkeypatch.setattr(migrating, "_VERSIONS", (*migrating._VERSIONS, folder))


def differences(database: Database) -> list[object]:
    def ours(name: str | None, kind: str, parents: object) -> bool:
        return kind != "table" or not (name or "").startswith(("procrastinate_", "alembic_"))

    def comparable(thing: object, name: str | None, kind: str, reflected: bool, other: object) -> bool:
        return name != "ix_jobs_next"  # its order is of no interest to Alembic, but to the test of all indexes

    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": ours, "include_object": comparable})
        return list(compare_metadata(context, metadata))


def _indexes(database: Database) -> dict[str, str]:
    """Every index of ours, as the database would make it again."""
    asked = (
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        if database.is_sqlite
        else "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename NOT LIKE 'procrast%'"
    )
    with database.read() as connection:
        found = {str(name): " ".join(str(made).split()) for name, made in connection.execute(text(asked))}
    return {name: made for name, made in found.items() if not name.startswith("alembic")}


def _checks(database: Database) -> dict[str, list[str]]:
    looked = inspect(database.engine)
    return {name: sorted(str(one["name"]) for one in looked.get_check_constraints(name)) for name in metadata.tables}


@pytest.mark.filterwarnings("ignore:autogenerate skipping")  # the index that the next test looks at
def test_an_upgraded_database_is_what_schema_says(empty: Database) -> None:
    """Tables, columns, types, keys, indexes, and what is checked."""
    assert migrating.current(empty) == migrating.Version(None, migrating.upgrade(empty).newest)
    assert differences(empty) == []
    wanted = {
        name: sorted(str(one.name) for one in table.constraints if isinstance(one, CheckConstraint))
        for name, table in metadata.tables.items()
    }
    assert _checks(empty) == wanted
    assert migrating.current(empty).is_newest
    migrating.check(empty)


def test_indexes_are_those_of_schema(empty: Database, tmp_path: Path) -> None:
    """With their order, which decides what they are good for."""
    migrating.upgrade(empty)
    upgraded = _indexes(empty)
    if empty.is_sqlite:
        other = Database(f"sqlite:///{tmp_path / 'other.db'}")
        metadata.create_all(other.engine)
    else:
        filling.made_anew(empty)
        other = empty
    assert upgraded == _indexes(other)
    other.close()


@pytest.mark.filterwarnings("ignore:autogenerate skipping")  # the index that the test above looks at
def test_difference_would_be_seen(empty: Database) -> None:
    """The comparison above can fail."""
    migrating.upgrade(empty)
    with empty.write() as connection:
        connection.execute(text("ALTER TABLE users ADD COLUMN nick VARCHAR(20)"))
    assert len(differences(empty)) == 1


def test_upgrading_again_changes_nothing(empty: Database) -> None:
    """Every start of the server upgrades."""
    migrating.upgrade(empty)
    filled = filling.fill(empty, jobs=5)
    migrating.upgrade(empty)
    assert filling.everything(empty) == filled


def test_rows_survive_the_rebuilding_of_a_table_others_point_to(
    empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite drops and makes a table anew, and would take the rows that point to it along."""
    migrating.upgrade(empty)
    before = filling.fill(empty, jobs=20)
    later(tmp_path / "versions", monkeypatch)
    assert migrating.current(empty).found != "9001"
    assert migrating.upgrade(empty).found == "9001"
    after = filling.everything(empty)
    assert [row.pop("nick") for row in after["users"]] == ["none"] * len(before["users"])
    assert after == before
    with pytest.raises(Exception, match=r"(?i)foreign key"), empty.write() as connection:
        connection.execute(text("UPDATE jobs SET owner_id = 'nobody'"))  # the references are still kept


def test_upgrade_that_fails_leaves_what_was_there(
    empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it is one transaction."""
    migrating.upgrade(empty)
    before = filling.fill(empty, jobs=3)
    later(tmp_path / "versions", monkeypatch, more='    op.execute("SELECT 1 FROM nowhere")')
    with pytest.raises(Exception, match="nowhere"):
        migrating.upgrade(empty)
    assert filling.everything(empty) == before
    assert migrating.current(empty).found == migrating._known()[-2]
    with empty.write() as connection:
        connection.execute(insert(users).values(id="u2", name="later", role="guest", active=True, created_at=0.0))


def test_rows_that_would_point_nowhere_stop_the_upgrade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On SQLite references are not looked at while tables are rebuilt; so they are looked at before the end."""
    database = Database(f"sqlite:///{tmp_path / 'test.db'}")
    migrating.upgrade(database)
    before = filling.fill(database, jobs=3)
    later(tmp_path / "versions", monkeypatch, more='    op.execute("DELETE FROM users")')
    with pytest.raises(DatabaseVersionError, match="point nowhere"):
        migrating.upgrade(database)
    assert filling.everything(database) == before
    database.close()


def test_servers_that_start_together_upgrade_once(empty: Database) -> None:
    """One does the work, the others find it done."""
    ended: list[object] = []

    def start() -> None:
        mine = Database(empty.url.render_as_string(hide_password=False))
        try:
            ended.append(migrating.upgrade(mine).found)
        except Exception as error:  # noqa: BLE001 - shown by the assertion
            ended.append(error)
        mine.close()

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended == [migrating.current(empty).newest] * 6


def test_newer_database_is_refused(empty: Database) -> None:
    """By every door, with what to do."""
    migrating.upgrade(empty)
    with empty.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for door in (migrating.current, migrating.check, migrating.upgrade):
        with pytest.raises(DatabaseVersionError, match=r"'9999'.*newer version"):
            door(empty)


def test_older_and_empty_databases_are_named(empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker does not upgrade: it says who does."""
    with pytest.raises(DatabaseVersionError, match="revision none") as refused:
        migrating.check(empty)
    assert "db upgrade" in str(refused.value.hint)
    migrating.upgrade(empty)
    later(tmp_path / "versions", monkeypatch)
    with pytest.raises(DatabaseVersionError, match="needs 9001"):
        migrating.check(empty)


def test_going_back_is_refused(empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backup is the way back; a revision nobody knows is said to be one."""
    first = migrating.upgrade(empty).newest
    later(tmp_path / "versions", monkeypatch)
    migrating.upgrade(empty)
    with pytest.raises(DatabaseVersionError, match="would lose") as refused:
        migrating.upgrade(empty, to=first)
    assert "backup" in str(refused.value.hint)
    with pytest.raises(DatabaseVersionError, match="no revision 'x'"):
        migrating.upgrade(empty, to="x")


def test_somebody_elses_tables_are_left_alone(empty: Database) -> None:
    """A database of another program that has a table of our name."""
    with empty.write() as connection:
        connection.execute(text("CREATE TABLE users (login VARCHAR(10))"))
        connection.execute(text("INSERT INTO users VALUES ('theirs')"))
    with pytest.raises(DatabaseVersionError, match="'users'"):
        migrating.upgrade(empty)
    with empty.read() as connection:
        assert connection.execute(select(text("login FROM users"))).scalars().all() == ["theirs"]


def test_queue_tables_are_brought_up_with_its_own_scripts(postgres_url: str) -> None:
    """Made by an older Procrastinate, they are migrated to what the installed one makes; somebody else's are left."""
    database = Database(postgres_url)
    filling.drop_everything(database)
    migrating.upgrade(database)
    made_at_once = _queue(database)
    filling.drop_everything(database)
    for script in sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql")):
        if script.name < "03.02.99":
            with database.write() as connection:
                connection.exec_driver_sql(script.read_text().replace("%", "%%"))
    older = _queue(database)
    with database.write() as connection:
        connection.execute(
            text("COMMENT ON TABLE procrastinate_jobs IS 'videoannotator: schema of procrastinate 3.2.0'")
        )
    migrating.upgrade(database)
    assert older != _queue(database) == made_at_once
    with database.write() as connection:
        connection.execute(text("COMMENT ON TABLE procrastinate_jobs IS NULL"))
    with pytest.raises(DatabaseVersionError, match="Procrastinate that this program did not make"):
        migrating.upgrade(database)
    filling.made_anew(database)
    database.close()


def _queue(database: Database) -> dict[str, str]:
    """The functions of Procrastinate, and what they do, without its white space."""
    there = "SELECT oid::regprocedure::text, prosrc FROM pg_proc WHERE proname LIKE 'procrastinate_%'"
    with database.read() as connection:
        return {name: " ".join(source.split()) for name, source in connection.execute(text(there))}
