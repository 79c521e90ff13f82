"""A stack of its own for a run, and the clients that watch it from outside. They outlive every kill."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
from temporalio.client import Client
from temporalio.testing import TimeSkipper

from deskhand.crypto.codec import data_converter
from deskhand.crypto.keyring import Keyring
from deskhand.db.pool import create_pool
from deskhand.devstack.stack import Stack
from deskhand.devstack.temporal import NAMESPACE
from deskhand.runs.spool import Spool
from deskhand.settings import Settings
from deskhand.tenants.admin import TenantAdmin
from tests.support.desk import Desk


@dataclass(frozen=True, slots=True)
class Setting:
    """What a run needs."""

    desk: Desk
    spool: Spool
    """To be looked at; the starters fill and empty it."""


@asynccontextmanager
async def setting_of(stack: Stack) -> AsyncIterator[Setting]:
    """The clients for a stack that runs."""
    payload_keys = Keyring.parse(stack.state.payload_keys)
    credential_keys = Keyring.parse(stack.state.credential_keys)
    pool = await create_pool(stack.database.operator, Settings(database_pool_size=2))
    client = await Client.connect(
        stack.addresses.temporal,
        namespace=NAMESPACE,
        data_converter=data_converter(payload_keys, allow_plaintext=False),
    )
    admin = TenantAdmin(pool, payload_keys, credential_keys, actor="chaos")
    # A connection of its own for each call: a kept one may be closed by the server just when it is used again.
    alone = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(trust_env=False, timeout=60, limits=alone) as http:
        yield Setting(Desk(stack, http, client, TimeSkipper(client), admin), Spool(pool, payload_keys))
    await pool.close()
