"""Databases and backups of every release come up to what this program needs, with all that is in them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from packaging.version import Version
from tests.serve.operating import filling, releasing
from tests.serve.operating.test_migrating import differences, later

from videoannotator import __version__
from videoannotator.serve import migrating
from videoannotator.serve.restoring import restore, verify
from videoannotator.serve.store.database import Database

RELEASES = sorted(path.name for path in releasing.RELEASED.glob("*/"))


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


@pytest.fixture(scope="session")
def next_release(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Database], Path]:
    """What would be left by a release now; with the dump of a kind of database, made in one of that kind."""
    folder = tmp_path_factory.mktemp("released")

    def made(database: Database) -> Path:
        if not (folder / "rows.json").exists():
            small = Database(f"sqlite:///{folder / 'server.db'}")
            releasing.write(folder, small)
            small.close()
        if not database.is_sqlite:
            releasing.write(folder, database)
            filling.drop_everything(database)
        return folder

    return made


def _kept(after: filling.Rows, before: filling.Rows) -> filling.Rows:
    """Of each row, the columns that it had before."""
    return {
        table: [{name: row[name] for name in old} for row, old in zip(after[table], rows, strict=True)]
        for table, rows in before.items()
    }


def _comes_up(folder: Path, database: Database) -> None:
    releasing.load(folder, database)
    before = releasing.rows(folder)
    migrating.upgrade(database)
    assert all(before.values()), "a table of which no row was kept: this tests nothing of it"
    assert _kept(filling.everything(database), before) == before
    migrating.check(database)


@pytest.mark.filterwarnings("ignore:autogenerate skipping")  # see test_migrating
@pytest.mark.parametrize("release", RELEASES)
def test_a_released_database_comes_up(release: str, empty: Database) -> None:
    """Rows and tables, from the dump that was made when it was released."""
    _comes_up(releasing.RELEASED / release, empty)
    assert differences(empty) == []


@pytest.mark.parametrize("release", RELEASES)
def test_a_released_backup_comes_back(release: str, empty: Database, tmp_path: Path) -> None:
    """Into either kind of database."""
    _comes_back(releasing.RELEASED / release, empty, tmp_path)


def _comes_back(folder: Path, database: Database, place: Path) -> None:
    shutil.unpack_archive(folder / "backup.zip", place / "backup")
    verify(place / "backup")
    restore(place / "backup", database, place / "back")
    before = releasing.rows(folder)
    assert _kept(filling.everything(database), before) == before


def test_what_a_release_leaves_comes_up_later(
    empty: Database,
    next_release: Callable[[Database], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The script that a release runs, with this program's revision, and a later one that rebuilds a table."""
    folder = next_release(empty)
    later(tmp_path / "versions", monkeypatch)
    _comes_up(folder, empty)
    assert migrating.current(empty).found == "9001"
    assert {row["nick"] for row in filling.everything(empty)["users"]} == {"none"}


def test_the_backup_that_a_release_leaves_comes_back_later(
    empty: Database,
    next_release: Callable[[Database], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a program that knows more revisions."""
    folder = next_release(empty)
    later(tmp_path / "versions", monkeypatch)
    _comes_back(folder, empty, tmp_path)
    assert migrating.current(empty).found == "9001"


def test_a_lost_row_would_be_seen(
    next_release: Callable[[Database], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison above can fail."""
    database = Database(f"sqlite:///{tmp_path / 'test.db'}")
    folder = next_release(database)
    later(tmp_path / "versions", monkeypatch, more='    op.execute("UPDATE users SET name = upper(name)")')
    with pytest.raises(AssertionError):
        _comes_up(folder, database)
    database.close()


def test_releases_have_left_what_they_must() -> None:
    """A released version's newest revision is in the folder, of which nothing is missing; see CONTRIBUTING.md."""
    if not Version(__version__).is_devrelease:
        assert migrating._known()[-1] in RELEASES, "run python -m tests.serve.operating.releasing"
    for release in RELEASES:
        there = {path.name for path in (releasing.RELEASED / release).iterdir()}
        assert there == {"sqlite.sql", "postgresql.sql", "rows.json", "backup.zip"}
