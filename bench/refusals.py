"""`python -m bench.refusals`: whether a stranger can tell refusals apart by how long they take; and what a flood costs.

A starter of its own over a PostgreSQL of its own; Temporal is not there, and not asked. Each kind of refusal is
compared with that of a tenant in memory whose delivery has a wrong signature, all kinds in random order over the same
connections. With the floor switched off, which no setting can do, the same must be told apart: else the test is blind.
"""

import argparse
import asyncio
import functools
import os
import random
import re
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
from pydantic import SecretStr

from bench import machine
from bench.frame import BenchError
from bench.sending import Sender
from bench.statistics import kolmogorov_smirnov, mann_whitney
from deskhand.crypto.keyring import Keyring
from deskhand.db.migrate import migrate
from deskhand.db.pool import create_pool
from deskhand.devstack.postgres import DatabaseUrls, PostgresCluster
from deskhand.devstack.state import free_ports
from deskhand.settings import Settings
from deskhand.tenants.admin import NewTenant, TenantAdmin
from deskhand.tenants.sealing import Connection
from plugins.tenants import WebhookSecret

KNOWN = "known, wrong signature"
"""What the others are compared with."""
OTHERS = (
    *("unknown, one name", "unknown, a new name each time", "known, not in memory", "other tool"),
    *("inactive", "no secret", "two secrets", "known, no signature"),
)
ALPHA = 0.01
"""Of a false alarm in a whole table."""
shuffled = random.SystemRandom()
HEADERS = {"Content-Type": "application/json"}
WRONG = {**HEADERS, "X-Hub-Signature": "sha256=" + "0" * 64}
BODY = b'{"webhookEvent":"jira:issue_created","issue":{"id":"1","key":"IT-1","fields":{"summary":"Printer"}}}'


class Names:
    """Which tenant to name for each kind."""

    def __init__(self, cold: int) -> None:
        self._fresh = iter(range(10**9))
        self._cold = iter(range(cold))

    def path(self, kind: str) -> str:
        """Where the next delivery of a kind goes."""
        if kind == "unknown, a new name each time":
            return f"/webhooks/jira/fresh-{next(self._fresh):08d}"
        if kind == "known, not in memory":
            return f"/webhooks/jira/cold-{next(self._cold):09d}"
        return (
            "/webhooks/jira/"
            + {
                KNOWN: "known-00000001",
                "known, no signature": "known-00000001",
                "unknown, one name": "nobody-0000001",
                "other tool": "zendesk-000001",
                "inactive": "inactive-00001",
                "no secret": "secretless-001",
                "two secrets": "twofold-000001",
            }[kind]
        )


async def tenants(urls: DatabaseUrls, keys: Keyring, cold: int) -> None:
    """Add them all."""
    pool = await create_pool(urls.operator, Settings(database_pool_size=2))
    admin = TenantAdmin(pool, keys, Keyring.parse(Keyring.generate_text()), actor="bench")
    secret = WebhookSecret(SecretStr("s" * 40))
    for name, tool, secrets in (
        ("known-00000001", "jira", (secret,)),
        ("zendesk-000001", "zendesk", (secret,)),
        ("inactive-00001", "jira", (secret,)),
        ("secretless-001", "jira", ()),
        ("twofold-000001", "jira", (secret, WebhookSecret(SecretStr("t" * 40)))),
        *((f"cold-{number:09d}", "jira", (secret,)) for number in range(cold)),
    ):
        await admin.add(NewTenant(name, tool, Connection({}, {}), secrets))
    await admin.deactivate("inactive-00001")
    await pool.close()


@asynccontextmanager
async def starter(urls: DatabaseUrls, keys: str, floor: float | None) -> AsyncIterator[str]:
    """A starter process; its address. `floor` in seconds, or what it is."""
    port, down = free_ports(2)
    environment = {
        "PATH": os.environ["PATH"],
        "DESKHAND_PAYLOAD_KEYS": keys,
        "DESKHAND_DATABASE_URL": urls.app,
        "DESKHAND_STARTER_PORT": str(port),
        "TEMPORAL_ADDRESS": f"127.0.0.1:{down}",
    }
    command = [sys.executable, "-m", "starter"]
    if floor is not None:
        command = [sys.executable, "-m", "bench.refusals", "--serve", str(floor)]
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=quiet, stderr=quiet)
    try:
        for _ in range(300):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
                continue
            writer.close()
            break
        else:
            raise BenchError("the starter did not come up")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def timed(address: str, names: Names, each: int, connections: int) -> dict[str, list[float]]:
    """The seconds of each refusal, by kind."""
    sender = Sender(address)
    for kind in (KNOWN, *OTHERS):
        if kind not in ("known, not in memory", "unknown, a new name each time"):
            await sender.post(names.path(kind), WRONG, BODY)
    plan = [kind for kind in (KNOWN, *OTHERS) for _ in range(each)]
    shuffled.shuffle(plan)
    took: defaultdict[str, list[float]] = defaultdict(list)

    async def send() -> None:
        own = Sender(address)
        while plan:
            kind = plan.pop()
            path, headers = names.path(kind), HEADERS if kind == "known, no signature" else WRONG
            began = time.perf_counter()
            status, _ = await own.post(path, headers, BODY)
            took[kind].append(time.perf_counter() - began)
            if status != 401:
                raise BenchError(f"{kind}: answered {status}")
        await own.close()

    await asyncio.gather(*(send() for _ in range(connections)))
    await sender.close()
    return took


def table(took: dict[str, list[float]]) -> str:
    """Medians, and how likely such a difference is by chance."""
    limit = ALPHA / (2 * len(OTHERS))
    lines = [
        "| refusal | median, ms | 1 % to 99 %, ms | Mann-Whitney p | Kolmogorov-Smirnov p | |",
        "|---|---|---|---|---|---|",
    ]
    for kind in (KNOWN, *OTHERS):
        ranked = sorted(took[kind])
        low, high = (1e3 * ranked[int(len(ranked) * part)] for part in (0.01, 0.99))
        row = f"| {kind} | {1e3 * statistics.median(ranked):.3f} | {low:.2f} to {high:.2f} |"
        if kind == KNOWN:
            lines.append(f"{row} | | |")
            continue
        u, ks = mann_whitney(took[KNOWN], took[kind]), kolmogorov_smirnov(took[KNOWN], took[kind])
        lines.append(f"{row} {u:.2g} | {ks:.2g} | {'**told apart**' if min(u, ks) < limit else 'alike'} |")
    return "\n".join(lines)


async def flood(urls: DatabaseUrls, keys: str, log: Path, names: int, connections: int) -> str:
    """What many names at once cost, and a tenant that is in memory meanwhile."""
    superuser: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(urls.superuser)
    await superuser.execute("ALTER ROLE deskhand_app SET log_statement = 'all'")
    await superuser.close()
    begins = len(_text(log))
    answers: Counter[int] = Counter()
    known: list[float] = []
    async with starter(urls, keys, None) as address:
        queue = [f"/webhooks/jira/flood-{number:09d}" for number in range(names)] + [
            f"/webhooks/jira/flood-{shuffled.randrange(names):09d}" for _ in range(names // 2)
        ]
        warm = Sender(address)
        await warm.post("/webhooks/jira/known-00000001", WRONG, BODY)
        queue.reverse()

        async def send() -> None:
            own = Sender(address)
            while queue:
                status, _ = await own.post(queue.pop(), WRONG, BODY)
                answers[status] += 1
            await own.close()

        async def meanwhile() -> None:
            while queue:
                began = time.perf_counter()
                status, _ = await warm.post("/webhooks/jira/known-00000001", WRONG, BODY)
                known.append(time.perf_counter() - began)
                if status != 401:
                    raise BenchError(f"a tenant in memory: answered {status}")

        began = time.monotonic()
        await asyncio.gather(meanwhile(), *(send() for _ in range(connections)))
        took = time.monotonic() - began
        await warm.close()
    asked = Counter(re.findall(r"\$1 = '(flood-\d+)'", _text(log)[begins:]))
    most = max(asked.values(), default=0)
    # Each question names its tenant twice: in the setting, and in the query.
    return (
        f"{names} names, then {names // 2} of them again, {connections} connections, {took:.0f} s: "
        f"{answers[401]} answered 401, {answers[503]} answered 503; "
        f"{len(asked)} names asked of PostgreSQL, each at most {most // 2} time(s); a tenant in memory was answered "
        f"401 {len(known)} times meanwhile, in {1e3 * statistics.median(known):.0f} ms (median), "
        f"{1e3 * max(known):.0f} ms at most"
    )


def _text(log: Path) -> str:
    return log.read_text(errors="replace")


async def measure(few: int, many: int, names: int) -> None:
    """Print it all."""
    keys = Keyring.generate_text()
    with tempfile.TemporaryDirectory(prefix="deskhand-bench-") as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101, S103 - PostgreSQL may have to run as another account
        (port,) = free_ports(1)
        cluster = PostgresCluster(Path(folder) / "postgres", port)
        try:
            urls = await cluster.start()
            await migrate(urls.owner, urls.app, urls.operator)
            await tenants(urls, Keyring.parse(keys), max(few, many))
            for floor, title in ((0.0, "floor switched off"), (None, "as it is")):
                for each, connections in ((few, 1), (many, 40)):
                    sys.stderr.write(f"bench: {title}, {connections} connections\n")
                    async with starter(urls, keys, floor) as address:
                        took = await timed(address, Names(max(few, many)), each, connections)
                    print(f"\n{title}, {each} of each over {connections} connection(s):\n\n{table(took)}")
            print("\n" + await flood(urls, keys, Path(folder) / "postgres" / "postgres.log", names, 40))
        finally:
            await cluster.remove()
    print("\n" + "\n".join(f"{what}: {said}" for what, said in machine.describe().items()))


def serve(floor: float) -> int:
    """Be a starter with another floor."""
    from starter import __main__ as process
    from starter.app import create_app

    process.create_app = functools.partial(create_app, refusal_seconds=floor)  # type: ignore[attr-defined]
    return process.main()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.refusals", description=__doc__)
    parser.add_argument("--few", type=int, default=80, help="of each kind, over one connection")
    parser.add_argument("--many", type=int, default=2_000, help="of each kind, over forty")
    parser.add_argument("--names", type=int, default=12_000, help="how many names the flood has")
    parser.add_argument("--serve", type=float, metavar="FLOOR", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.serve is not None:
        return serve(given.serve)
    for name in [name for name in os.environ if name.startswith(("DESKHAND_", "TEMPORAL_"))]:
        del os.environ[name]
    asyncio.run(measure(given.few, given.many, given.names))
    return 0


if __name__ == "__main__":
    sys.exit(main())
