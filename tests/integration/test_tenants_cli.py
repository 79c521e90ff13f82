"""The commands as an operator runs them: real processes, a plugin that is installed beside ours, a real terminal."""

import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from deskhand.crypto.keyring import Keyring
from deskhand.db.pool import Pool
from deskhand.devstack.postgres import DatabaseUrls
from deskhand.tenants.admin import TenantAdmin
from deskhand.tenants.store import TenantStore
from plugins.types import TenantMode
from tests.support.acmedesk import Run, acmedesk_environment, runner
from tests.support.terminal import Terminal

PLANTED = "planted-api-key-2290"


@pytest.fixture
async def environment(
    database: DatabaseUrls, superuser: "asyncpg.Connection[asyncpg.Record]", tmp_path: Path
) -> dict[str, str]:
    """What the command line needs, with the tool `acmedesk` and a broken plugin installed."""
    return acmedesk_environment(database, tmp_path)


@pytest.fixture
def deskhand(environment: dict[str, str]) -> Run:
    """Run `deskhand …` to its end."""
    return runner(environment)


OF = ("tenant", "add", "acme", "--tool")
# There is no such tool to connect to; `tests/e2e/test_tenant_add.py` has some.
ADD = (*OF, "acmedesk", "--set", "base_url=https://acme.example", "--unchecked")
SECRETS = json.dumps({"api_key": PLANTED})
STEP = (
    "Have the tool send each new ticket as a POST of application/json to https://hooks.example/webhooks/acmedesk/acme, "
    "signed with the webhook secret, the signature in the header X-Signature."
)


async def _tenants(superuser: "asyncpg.Connection[asyncpg.Record]") -> int:
    count: int = await superuser.fetchval("SELECT count(*) FROM tenant_configs")
    return count


async def test_a_tenant_from_adding_to_the_worker(deskhand: Run, environment: dict[str, str], app_pool: Pool) -> None:
    more = ("--priority", "P1=high", "--language", "german", "--own-account-id", "42", "--mode", "dry_run")
    added = await deskhand(*ADD, *more, "--signature-scheme", "hmac", "--secrets-stdin", "--json", given=SECRETS)
    assert (added.code, added.err) == (0, "")
    shown_once = json.loads(added.out)
    secret = shown_once.pop("webhook_secret")
    assert shown_once == {
        "tenant": "acme",
        "tool": "acmedesk",
        "mode": "dry_run",
        "webhook_url": "https://hooks.example/webhooks/acmedesk/acme",
        "own_account_id": "42",
        "findings": None,
        "steps": [STEP],
    }
    assert len(secret) == 43
    assert PLANTED not in added.out

    keys = (Keyring.parse(environment[f"DESKHAND_{name}_KEYS"]) for name in ("PAYLOAD", "CREDENTIAL"))
    config = await TenantStore(app_pool, *keys).get("acme")
    assert config is not None
    assert config.secrets_at(config.active_from) == (secret,)
    assert await config.connection() == {"base_url": "https://acme.example", "api_key": PLANTED}
    assert config.settings.model_dump(exclude_defaults=True) == {
        "priorities": {"p1": "high"},
        "own_account_id": "42",
        "signature_scheme": "hmac",
        "language": "german",
    }

    for arguments in (("list",), ("show", "acme")):
        for as_json in ((), ("--json",)):
            shown = await deskhand("tenant", *arguments, *as_json)
            assert (shown.code, shown.err) == (0, "")
            assert "acme" in shown.out
            assert secret not in shown.out
            assert PLANTED not in shown.out
    details = json.loads((await deskhand("tenant", "show", "acme", "--json")).out)
    assert details["secret_fields_set"] == ["api_key"]
    assert details["connection"] == {"base_url": "https://acme.example"}
    assert details["webhook_secrets"] == [{"not_before": None, "not_after": None}]
    assert json.loads((await deskhand("tenant", "list", "--json")).out)[0]["mode"] == "dry_run"


async def test_a_made_secret_is_printed_once_in_words_too(deskhand: Run) -> None:
    added = await deskhand(*ADD, "--secrets-stdin", given=SECRETS)
    assert "webhook address: https://hooks.example/webhooks/acmedesk/acme\n" in added.out
    (secret,) = (line.split()[-1] for line in added.out.splitlines() if line.startswith("webhook secret:"))
    assert added.out.count(secret) == 1
    assert PLANTED not in added.out


@pytest.mark.parametrize(("option", "count"), [("--webhook-secret", 1), ("--no-webhook-secret", 0)])
async def test_a_given_webhook_secret_is_not_printed_and_none_is_none(deskhand: Run, option: str, count: int) -> None:
    secrets: dict[str, Any] = {"api_key": PLANTED} | ({"webhook_secret": "planted-hook"} if count else {})
    added = await deskhand(*ADD, option, "--secrets-stdin", "--json", given=json.dumps(secrets))
    assert json.loads(added.out)["webhook_secret"] is None
    assert "planted" not in added.out
    shown = json.loads((await deskhand("tenant", "show", "acme", "--json")).out)
    assert len(shown["webhook_secrets"]) == count


async def test_on_a_terminal_secrets_are_asked_for_and_not_echoed(
    environment: dict[str, str], app_pool: Pool, tmp_path: Path
) -> None:
    terminal = await Terminal.run((sys.executable, "-m", "deskhand.cli", *ADD, "--json"), environment, tmp_path)
    for prompt, answer in (
        ("api_key: The key of the account.\napi_key (not shown): ", ""),
        ("api_key: is needed; Ctrl-C ends this\napi_key (not shown): ", PLANTED),
        ("second_key (not shown, optional): ", ""),
        ("page_size [50]: ", "many"),
        ("page_size: Input should be a valid integer, unable to parse string as an integer\npage_size [50]: ", "20"),
        ("signature_scheme (optional): ", "hmca"),
        ("signature_scheme: must be header or hmac\nsignature_scheme (optional): ", "header"),
    ):
        await terminal.answer(prompt, answer)
    code, screen = await terminal.end()
    assert code == 0, screen
    assert PLANTED not in screen
    keys = (Keyring.parse(environment[f"DESKHAND_{name}_KEYS"]) for name in ("PAYLOAD", "CREDENTIAL"))
    config = await TenantStore(app_pool, *keys).get("acme")
    assert config is not None
    assert await config.connection() == {
        "base_url": "https://acme.example",
        "api_key": PLANTED,
        "page_size": "20",
    }
    assert config.settings.signature_scheme == "header"


@pytest.mark.parametrize(
    ("arguments", "given", "message"),
    [
        ((*ADD, "--set", f"api_key={PLANTED}"), "", "--set api_key: is a secret"),
        ((*ADD[:5], "--set", f"base_url={PLANTED}", "--secrets-stdin"), SECRETS, "base_url: String should match"),
        (ADD, "", "api_key: is missing; answer the prompt on a terminal, or use --secrets-stdin"),
        ((*ADD, "--secrets-stdin"), PLANTED, "--secrets-stdin: standard input is not JSON"),
        ((*ADD, "--secrets-stdin", "--priority", "P1=urgent"), SECRETS, "--priority P1: Input should be"),
        ((*ADD, "--secrets-stdin", "--language", "klingon"), SECRETS, "language: klingon is not one"),
        ((*ADD, "--signature-scheme", "hmca"), "", "hmca: acmedesk has no such scheme; it has header, hmac"),
        ((*OF, "jira", "--signature-scheme", "hmca"), "", "jira has no such scheme; it has header, hmac"),
        ((*OF, "servicedesk_plus", "--signature-scheme", "hmca"), "", "it has basic, header, hmac"),
        ((*OF, "zendesk", "--signature-scheme", "hmac"), "", "hmac: zendesk has only one way to authenticate webhooks"),
        (("tenant", "add", "a_b", *ADD[3:], "--secrets-stdin"), SECRETS, "tenant id: must be 1 to 64"),
        (("tenant", "add", "acme", "--tool", "nosuch"), "", "no such plugin; there are acmedesk"),
        (("tenant", "add", "acme", "--tool", "nosuch"), "", "broken did not load: acmedesk_plugin:Missing"),
        (("tenant", "show", "nobody"), "", "tenant nobody: does not exist"),
        (("tenant", "update", "nobody", "--mode", "live"), "", "tenant nobody: does not exist"),
        (("tenant", "pause", "nobody"), "", "tenant nobody: does not exist"),
        (("tenant", "unpause", "nobody"), "", "tenant nobody: does not exist"),
        (("tenant", "deactivate", "nobody"), "", "tenant nobody: does not exist"),
    ],
)
async def test_what_is_wrong_is_one_line_and_nothing_is_stored(
    deskhand: Run,
    superuser: "asyncpg.Connection[asyncpg.Record]",
    arguments: tuple[str, ...],
    given: str,
    message: str,
) -> None:
    done = await deskhand(*arguments, given=given)
    assert done.failed_with(message), done
    assert PLANTED not in done.err
    assert await _tenants(superuser) == 0


async def test_a_second_tenant_of_the_same_name_is_refused(deskhand: Run) -> None:
    assert (await deskhand(*ADD, "--secrets-stdin", given=SECRETS)).code == 0
    assert (await deskhand(*ADD, "--secrets-stdin", given=SECRETS)).failed_with("tenant acme: exists already")


async def test_mode_and_activity_are_changed_and_audited_by_who_ran_it(
    deskhand: Run, superuser: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await deskhand(*ADD, "--secrets-stdin", given=SECRETS)
    assert (await deskhand("tenant", "update", "acme", "--mode", "dry_run")).out == "tenant acme is on dry_run\n"
    assert (await deskhand("tenant", "deactivate", "acme")).code == 0
    (tenant,) = json.loads((await deskhand("tenant", "list", "--json")).out)
    assert tenant["mode"] == "dry_run"
    assert tenant["active_until"]
    audited = await superuser.fetch("SELECT action, actor FROM audit_log ORDER BY id")
    assert [row["action"] for row in audited] == ["tenant.add", "tenant.mode", "tenant.deactivate", "tenant.list"]
    assert all(row["actor"] for row in audited)


@pytest.mark.parametrize("mode", [TenantMode.LIVE, TenantMode.DRY_RUN])
async def test_a_pause_ends_in_the_mode_before_it_and_each_change_is_audited(
    deskhand: Run, superuser: "asyncpg.Connection[asyncpg.Record]", admin: TenantAdmin, mode: TenantMode
) -> None:
    await deskhand(*ADD, "--secrets-stdin", "--mode", mode, given=SECRETS)
    for _ in range(2):  # the second is not what was before the pause
        assert (await deskhand("tenant", "pause", "acme")).code == 0
    assert await admin.unpause("acme") is mode
    assert await admin.unpause("acme") is mode
    audited = await superuser.fetch("SELECT action, detail FROM audit_log ORDER BY id")
    assert [(row["action"], json.loads(row["detail"])) for row in audited[1:]] == [
        ("tenant.mode", {"mode": "pause", "was": mode}),
        ("tenant.mode", {"mode": "pause", "was": "pause"}),
        ("tenant.mode", {"mode": mode, "was": "pause"}),
    ]


async def test_a_tenant_that_was_added_on_pause_goes_live(deskhand: Run, admin: TenantAdmin) -> None:
    added = await deskhand(*ADD, "--secrets-stdin", "--mode", "pause", given=SECRETS)
    assert added.out.startswith("tenant acme added (acmedesk, pause)")
    assert await admin.unpause("acme") is TenantMode.LIVE


def _with_password(url: str, password: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.username}:{password}@{parts.hostname}:{parts.port}").geturl()


async def test_settings_and_database_failures_are_one_line(deskhand: Run, database: DatabaseUrls) -> None:
    operator = "DESKHAND_DATABASE_OPERATOR_URL"
    planted = "planted-password-6655"
    for settings, message in (
        ({operator: None}, f"{operator} is not set"),
        ({"DESKHAND_CREDENTIAL_KEYS": planted}, "DESKHAND_CREDENTIAL_KEYS: keyring: entry 1 must be keyid:key"),
        ({"DESKHAND_DATABASE_POOL_SIZE": "many"}, "DESKHAND_DATABASE_POOL_SIZE: Input should be a valid integer"),
        ({operator: f"postgresql://deskhand_operator:{planted}@127.0.0.1:1/deskhand"}, "cannot be reached"),
        ({operator: _with_password(database.operator, planted)}, "password authentication failed"),
    ):
        done = await deskhand("tenant", "show", "acme", settings=settings)
        assert done.failed_with(message), done
        assert planted not in done.err


async def test_the_app_role_cannot_add_tenants(deskhand: Run, database: DatabaseUrls) -> None:
    done = await deskhand(
        *ADD, "--secrets-stdin", given=SECRETS, settings={"DESKHAND_DATABASE_OPERATOR_URL": database.app}
    )
    assert done.failed_with("the database refuses: permission denied for table tenant_configs"), done


async def test_migrate_and_a_database_that_was_not_migrated(
    deskhand: Run, database: DatabaseUrls, superuser: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await superuser.execute("CREATE DATABASE unmigrated OWNER deskhand_owner")
    names = {"DATABASE_URL": "app", "DATABASE_OWNER_URL": "owner", "DATABASE_OPERATOR_URL": "operator"}
    settings = {
        f"DESKHAND_{setting}": urlsplit(getattr(database, role))._replace(path="/unmigrated").geturl()
        for setting, role in names.items()
    }
    try:
        before = await deskhand("tenant", "list", settings=settings)
        assert before.failed_with("run `deskhand migrate`"), before
        first = await deskhand("migrate", settings=settings)
        assert first.code == 0
        assert first.out.splitlines()[-1].endswith(" migrations applied")
        assert (await deskhand("migrate", settings=settings)).out == "up to date\n"
        assert (await deskhand("tenant", "list", settings=settings)).out.startswith("no tenants; add one")
    finally:
        await superuser.execute("DROP DATABASE unmigrated WITH (FORCE)")


async def test_a_wrong_command_line_is_one_line_too(deskhand: Run) -> None:
    for arguments in (("nosuch",), ("tenant", "add"), ("tenant", "update", "acme", "--mode", "fast")):
        done = await deskhand(*arguments)
        assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1), done
