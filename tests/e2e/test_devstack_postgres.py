"""PostgreSQL out of the wheel, as root and as anybody else."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from deskhand.devstack.postgres import DatabaseUrls, PostgresCluster
from deskhand.devstack.state import State


@pytest.fixture(scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PostgresCluster]:
    # pytest's folders are closed to other accounts.
    folder = tmp_path_factory.mktemp("cluster")
    cluster = PostgresCluster(folder / "postgres", State.open(folder / "state").ports.postgres)
    yield cluster
    await cluster.remove()


@pytest.fixture(scope="module")
async def urls(cluster: PostgresCluster) -> DatabaseUrls:
    return await cluster.start()


def _temporary_folder(cluster: PostgresCluster) -> Path:
    return Path((cluster.folder / "temporary-folder").read_text())


def _owner_of(cluster: PostgresCluster) -> int:
    assert cluster.process is not None
    return Path(f"/proc/{cluster.process.pid}").stat().st_uid


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def test_the_owner_owns_the_database_and_is_no_superuser(urls: DatabaseUrls) -> None:
    connection = await asyncpg.connect(urls.owner)
    role = await connection.fetchrow(
        "SELECT rolsuper, rolcreaterole, rolbypassrls FROM pg_roles WHERE rolname = $1", "deskhand_owner"
    )
    owner = await connection.fetchval(
        "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
    )
    await connection.close()
    assert role is not None
    assert tuple(role) == (False, True, False)
    assert owner == "deskhand_owner"


async def test_it_asks_everybody_for_a_password(urls: DatabaseUrls) -> None:
    parts = urlsplit(urls.superuser)
    for url in (
        f"postgresql://postgres@127.0.0.1:{parts.port}/postgres",
        urls.superuser.replace(":" + str(parts.password), ":wrong"),
    ):
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(url)
    connection = await asyncpg.connect(urls.superuser)
    rules = await connection.fetch("SELECT DISTINCT auth_method FROM pg_hba_file_rules")
    await connection.close()
    assert [rule["auth_method"] for rule in rules] == ["scram-sha-256"]


async def test_it_listens_on_loopback_only(urls: DatabaseUrls) -> None:
    connection = await asyncpg.connect(urls.superuser)
    places = (
        await connection.fetchval("SHOW listen_addresses"),
        await connection.fetchval("SHOW unix_socket_directories"),
    )
    await connection.close()
    assert places == ("127.0.0.1", "")


async def test_data_and_passwords_survive_a_stop_and_a_kill(cluster: PostgresCluster, urls: DatabaseUrls) -> None:
    connection = await asyncpg.connect(urls.owner)
    await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    await connection.close()
    await cluster.stop()
    assert await cluster.start() == urls
    assert cluster.process is not None
    cluster.process.kill()
    assert await cluster.start() == urls
    connection = await asyncpg.connect(urls.owner)
    assert await connection.fetchval("SELECT answer FROM kept") == 42
    await connection.close()


def test_passwords_are_for_this_account_only(cluster: PostgresCluster, urls: DatabaseUrls) -> None:
    assert _mode(cluster.folder / "passwords.json") == 0o600
    for url in (urls.superuser, urls.owner, urls.app, urls.operator):
        assert url not in repr(urls)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become another account")
async def test_root_runs_it_as_an_ordinary_account_out_of_a_closed_folder(
    cluster: PostgresCluster, urls: DatabaseUrls
) -> None:
    moved = _temporary_folder(cluster)
    assert _owner_of(cluster) == 65534
    assert _mode(moved / "cluster") == 0o700
    assert _mode(cluster.folder.parent) == 0o700
    await cluster.remove()
    assert not moved.exists()
    assert not cluster.folder.exists()
