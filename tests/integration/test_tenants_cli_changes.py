"""Changing, rotating, exporting and importing tenants, as an operator does it: real processes, a tool that is installed
beside ours."""

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deskhand.crypto.keyring import Keyring
from deskhand.db.pool import Pool
from deskhand.devstack.postgres import DatabaseUrls
from deskhand.tenants.store import TenantStore
from plugins.tenants import TenantConfig
from tests.support.acmedesk import Run, acmedesk_environment, runner
from tests.support.terminal import Terminal

KEY, OTHER_KEY, HOOK = "planted-key-5501", "planted-key-5502", "planted-hook-5503"
ADD = ("tenant", "add", "acme", "--tool", "acmedesk", "--set", "base_url=https://acme.example")
SECRETS = json.dumps({"api_key": KEY, "webhook_secret": HOOK})


@pytest.fixture
async def environment(database: DatabaseUrls, superuser: Any, tmp_path: Path) -> dict[str, str]:
    """What the command line needs, with the tool `acmedesk` installed."""
    return acmedesk_environment(database, tmp_path)


@pytest.fixture
def deskhand(environment: dict[str, str]) -> Run:
    """Run `deskhand …` to its end."""
    return runner(environment)


@pytest.fixture
async def acme(deskhand: Run) -> None:
    """A tenant that is there already."""
    added = await deskhand(*ADD, "--secrets-stdin", given=SECRETS)
    assert (added.code, added.err) == (0, "")


async def stored(environment: dict[str, str], app_pool: Pool, tenant: str = "acme") -> TenantConfig:
    """The tenant as a worker that has just started reads it."""
    keys = (Keyring.parse(environment[f"DESKHAND_{name}_KEYS"]) for name in ("PAYLOAD", "CREDENTIAL"))
    config = await TenantStore(app_pool, *keys).get(tenant)
    assert config is not None
    return config


async def audited(superuser: Any) -> list[tuple[str, Any]]:
    rows = await superuser.fetch("SELECT action, detail FROM audit_log ORDER BY id")
    return [(row["action"], json.loads(row["detail"])) for row in rows]


async def test_a_connection_that_does_not_work_is_not_stored_unless_one_insists(deskhand: Run, superuser: Any) -> None:
    add = ("tenant", "add", "acme", "--tool", "acmedesk", "--set", "base_url=https://down.example", "--secrets-stdin")
    done = await deskhand(*add, given=SECRETS)
    assert done.code == 1
    assert done.out.startswith("acme (acmedesk)\n  FAILED  acmedesk answered 401\n          → ")
    assert done.err == (
        "deskhand: tenant acme: nothing was stored: the connection does not work. "
        "Mend it, or add the tenant nonetheless with --unchecked\n"
    )
    done = await deskhand(*add, "--json", given=SECRETS)
    assert done.failed_with("the connection does not work: acmedesk answered 401 → "), done
    assert await superuser.fetchval("SELECT count(*) FROM tenant_configs") == 0
    done = await deskhand(*add, "--unchecked", given=SECRETS)
    assert done.out.startswith("tenant acme added (acmedesk, live); its connection was not tried\n")
    assert [action for action, _ in await audited(superuser)] == ["tenant.check", "tenant.check", "tenant.add"]


async def test_secrets_come_from_the_environment_too(
    deskhand: Run, environment: dict[str, str], app_pool: Pool
) -> None:
    given = ("--secret-env", "api_key=ACME_KEY", "--secret-env", "webhook_secret=ACME_HOOK")
    done = await deskhand(*ADD, *given, settings={"ACME_KEY": KEY, "ACME_HOOK": HOOK})
    assert (done.code, done.err) == (0, "")
    assert KEY not in done.out
    assert HOOK not in done.out
    config = await stored(environment, app_pool)
    assert (await config.connection())["api_key"] == KEY
    assert config.secrets_at(datetime.now(UTC)) == (HOOK,)


@pytest.mark.parametrize(
    ("arguments", "given", "message"),
    [
        (("--secret-env", f"api_key={KEY}"), "", "--secret-env api_key: the variable that it names is not set"),
        (("--secret-env", "api_key"), "", "--secret-env: the value at place 1 must read name=value"),
        (("--secret-env", "api_key=HOME", "--secrets-stdin"), SECRETS, "--secret-env api_key: is given by --secrets"),
        (("--retention-days", "0", "--secrets-stdin"), SECRETS, "--retention-days: Input should be greater than"),
    ],
)
async def test_what_cannot_be_added_is_one_line_without_a_secret(
    deskhand: Run, arguments: tuple[str, ...], given: str, message: str
) -> None:
    done = await deskhand(*ADD, *arguments, given=given, settings={"HOME": "/root"})
    assert done.failed_with(message), done
    assert KEY not in done.err


async def test_what_is_named_changes_and_nothing_else(
    deskhand: Run, acme: None, environment: dict[str, str], app_pool: Pool, superuser: Any
) -> None:
    done = await deskhand(
        *("tenant", "update", "acme", "--set", "page_size=20", "--priority", "P1=high", "--own-account-id", "7"),
        *("--retention-days", "90", "--allow-private-address", "--signature-scheme", "header", "--secrets-stdin"),
        given=json.dumps({"second_key": OTHER_KEY}),
    )
    assert (done.code, done.err) == (0, "")
    *findings, changed, seen, waiting = done.out.splitlines()
    assert findings[0] == "acme (acmedesk)"
    assert changed == (
        "tenant acme: changed: priorities, own_account_id, signature_scheme, allow_private_address, retention_days, "
        "page_size, second_key"
    )
    assert "10 s" in seen
    assert "runs resume --tenant acme" in waiting
    config = await stored(environment, app_pool)
    assert await config.connection() == {
        "base_url": "https://acme.example",
        "page_size": "20",
        "api_key": KEY,
        "second_key": OTHER_KEY,
    }
    assert config.secrets_at(datetime.now(UTC)) == (HOOK,)
    assert config.settings.model_dump(exclude_defaults=True) == {
        "priorities": {"p1": "high"},
        "own_account_id": "7",
        "signature_scheme": "header",
        "allow_private_address": True,
        "retention_days": 90,
    }

    taken_out = ("--unset", "second_key", "--unset", "own_account_id", "--unset", "priorities", "--priority", "P2=low")
    done = await deskhand("tenant", "update", "acme", *taken_out, "--no-allow-private-address", "--json")
    assert json.loads(done.out)["changed"] == ["priorities", "own_account_id", "allow_private_address", "second_key"]
    config = await stored(environment, app_pool)
    assert "second_key" not in await config.connection()
    assert (config.settings.own_account_id, dict(config.settings.priorities)) == (None, {"p2": "low"})
    log = str(await audited(superuser))
    assert ("tenant.update", {"fields": json.loads(done.out)["changed"]}) in await audited(superuser)
    assert not any(secret in log for secret in (KEY, OTHER_KEY, HOOK))


async def test_a_new_connection_is_tried_before_it_is_stored(
    deskhand: Run, acme: None, environment: dict[str, str], app_pool: Pool
) -> None:
    update = ("tenant", "update", "acme", "--secret-env", "api_key=NEW_KEY")
    done = await deskhand(*update, settings={"NEW_KEY": "wrong-5504"})
    assert done.code == 1
    assert "FAILED  acmedesk answered 401" in done.out
    assert "nothing was changed: the connection would not work" in done.err
    assert (await (await stored(environment, app_pool)).connection())["api_key"] == KEY
    done = await deskhand(*update, "--unchecked", settings={"NEW_KEY": "wrong-5504"})
    assert done.out.startswith("tenant acme: changed: api_key\n")
    assert (await (await stored(environment, app_pool)).connection())["api_key"] == "wrong-5504"
    # What has nothing to do with the connection is changed all the same.
    assert (await deskhand("tenant", "update", "acme", "--own-account-id", "8")).code == 0


@pytest.mark.parametrize(
    ("arguments", "given", "message"),
    [
        ((), "", "tenant acme: nothing would change"),
        (("--set", "base_url=https://acme.example"), "", "tenant acme: nothing would change"),
        (("--set", "nosuch=1"), "", "--set nosuch: the connection has no such field"),
        (("--set", f"api_key={OTHER_KEY}"), "", "--set api_key: is a secret"),
        (("--set", f"base_url={OTHER_KEY}"), "", "base_url: String should match"),
        (("--unset", "nosuch"), "", "--unset nosuch: the connection has no such field"),
        (("--unset", "api_key"), "", "api_key: is missing"),
        (("--unset", "page_size", "--set", "page_size=3"), "", "--unset page_size: is given a value as well"),
        (("--ask-secret", "base_url"), "", "--ask-secret base_url: is not a secret"),
        (("--secrets-stdin",), '{"webhook_secret": "x"}', "is changed with `deskhand tenant rotate-secret acme`"),
        (("--signature-scheme", "hmca"), "", "acmedesk has no such scheme; it has header, hmac"),
        (("--language", "klingon"), "", "language: klingon is not one"),
        (("--priority", "P1=urgent"), "", "--priority p1: Input should be"),
    ],
)
async def test_what_cannot_be_changed_is_one_line(
    deskhand: Run, acme: None, arguments: tuple[str, ...], given: str, message: str
) -> None:
    done = await deskhand("tenant", "update", "acme", *arguments, given=given)
    assert done.failed_with(message), done
    assert OTHER_KEY not in done.err


async def test_a_secret_field_is_asked_for_without_echo(
    acme: None, environment: dict[str, str], app_pool: Pool, tmp_path: Path
) -> None:
    command = (sys.executable, "-m", "deskhand.cli", "tenant", "update", "acme", "--ask-secret", "api_key")
    terminal = await Terminal.run(command, environment, tmp_path)
    await terminal.answer("api_key: The key of the account.\napi_key (not shown): ", OTHER_KEY)
    code, screen = await terminal.end()
    assert code == 0, screen
    assert OTHER_KEY not in screen
    assert (await (await stored(environment, app_pool)).connection())["api_key"] == OTHER_KEY


async def test_the_webhook_secret_is_rotated_and_the_old_one_counts_for_a_while(
    deskhand: Run, acme: None, environment: dict[str, str], app_pool: Pool, superuser: Any
) -> None:
    before = datetime.now(UTC)
    done = await deskhand("tenant", "rotate-secret", "acme", "--keep-old", "2h", "--json")
    told = json.loads(done.out)
    made = told["webhook_secret"]
    assert len(made) == 43
    assert len(told["steps"]) == 1
    until = datetime.fromisoformat(told["old_secrets_count_until"])
    assert timedelta(hours=2) - timedelta(minutes=1) < until - before < timedelta(hours=2, minutes=1)
    config = await stored(environment, app_pool)
    assert set(config.secrets_at(datetime.now(UTC))) == {made, HOOK}
    assert config.secrets_at(until + timedelta(seconds=2)) == (made,)
    assert (await audited(superuser))[-1] == ("tenant.rotate_secret", {"keep_old_seconds": 7200})

    done = await deskhand("tenant", "rotate-secret", "acme", "--keep-old", "0")
    assert (done.code, done.err) == (0, "")
    (newest,) = re.findall(r"^webhook secret: +(\S+)$", done.out, re.MULTILINE)
    assert done.out.count(newest) == 1
    assert done.out.endswith("No old secret counts any more.\n")
    assert (await stored(environment, app_pool)).secrets_at(datetime.now(UTC)) == (newest,)


async def test_the_secret_that_a_tool_made_is_taken_and_not_shown(
    deskhand: Run, acme: None, environment: dict[str, str], app_pool: Pool
) -> None:
    done = await deskhand("tenant", "rotate-secret", "acme", "--secret-stdin", given="made-elsewhere-1\n")
    assert (done.code, done.err) == (0, "")
    assert "made-elsewhere" not in done.out
    done = await deskhand(
        "tenant", "rotate-secret", "acme", "--secret-env", "NEW", settings={"NEW": "made-elsewhere-2"}
    )
    assert "Deliveries may be signed with an old secret until " in done.out
    secrets = (await stored(environment, app_pool)).secrets_at(datetime.now(UTC))
    assert secrets == ("made-elsewhere-2", "made-elsewhere-1", HOOK)


@pytest.mark.parametrize(
    ("arguments", "given", "message"),
    [
        (("--secret-stdin",), "", "--secret-stdin: standard input must be the secret alone"),
        (("--secret-stdin",), "two\nlines", "--secret-stdin: standard input must be the secret alone"),
        (("--secret-stdin",), HOOK, "webhook secret: is the one that it has already"),
        (("--secret-stdin", "--ask"), "", "--ask, --secret-stdin, --secret-env: give one of them at most"),
        (("--ask",), "", "--ask: standard input is no terminal"),
        (("--secret-env", "NO_SUCH"), "", "--secret-env webhook_secret: the variable that it names is not set"),
        (("--keep-old", "tomorrow"), "", "--keep-old: must be a whole number and its unit"),
    ],
)
async def test_what_cannot_be_rotated_is_one_line(
    deskhand: Run,
    acme: None,
    environment: dict[str, str],
    app_pool: Pool,
    arguments: tuple[str, ...],
    given: str,
    message: str,
) -> None:
    done = await deskhand("tenant", "rotate-secret", "acme", *arguments, given=given)
    assert done.failed_with(message), done
    assert HOOK not in done.err
    assert (await stored(environment, app_pool)).secrets_at(datetime.now(UTC)) == (HOOK,)


async def test_whether_its_tickets_get_notes(deskhand: Run, acme: None, superuser: Any) -> None:
    done = await deskhand("tenant", "test", "acme")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-1] == "Its tickets get notes."

    assert (await deskhand("tenant", "update", "acme", "--mode", "dry_run")).out == "tenant acme is on dry_run\n"
    done = await deskhand("tenant", "test", "acme")
    assert (done.code, done.out.splitlines()[-1]) == (0, "It works, and its mode keeps notes back.")

    await deskhand("tenant", "deactivate", "acme")
    await deskhand("tenant", "update", "acme", "--set", "base_url=https://down.example", "--unchecked")
    done = await deskhand("tenant", "test", "acme", "--json")
    assert done.code == 1
    failed = [finding["what"] for finding in json.loads(done.out)["findings"] if finding["ok"] is False]
    assert failed == ["the tenant is not active: its deliveries are refused", "acmedesk answered 401"]
    assert [action for action, _ in await audited(superuser)].count("tenant.test") == 3


async def test_a_tenant_is_deactivated_and_activated_again(
    deskhand: Run, acme: None, environment: dict[str, str], app_pool: Pool
) -> None:
    assert (await deskhand("tenant", "activate", "acme")).failed_with("tenant acme: is active already")
    await deskhand("tenant", "deactivate", "acme")
    assert not (await stored(environment, app_pool)).active_at(datetime.now(UTC) + timedelta(seconds=1))
    done = await deskhand("tenant", "activate", "acme")
    assert done.out == "tenant acme is active: its deliveries are taken within 10 s\n"
    assert (await stored(environment, app_pool)).active_at(datetime.now(UTC))


async def test_what_is_exported_and_imported_again_changes_nothing(
    deskhand: Run, acme: None, superuser: Any, tmp_path: Path
) -> None:
    more = ("--set", "page_size=7", "--priority", "P1=high", "--mode", "dry_run", "--retention-days", "30")
    await deskhand("tenant", "add", "globex", *ADD[3:], *more, "--secrets-stdin", given=SECRETS)
    await deskhand("tenant", "deactivate", "globex")
    exported = await deskhand("tenant", "export")
    assert (exported.code, exported.err) == (0, "")
    assert not any(secret in exported.out for secret in (KEY, HOOK))
    file = json.loads(exported.out)
    assert file["deskhand"] == 1
    assert [tenant["tenant"] for tenant in file["tenants"]] == ["acme", "globex"]
    rows = await superuser.fetch("SELECT * FROM tenant_configs ORDER BY tenant_id")
    done = await deskhand("tenant", "import", "-", given=exported.out)
    assert done.out == "tenant acme: no change\ntenant globex: no change\n"
    assert await superuser.fetch("SELECT * FROM tenant_configs ORDER BY tenant_id") == rows
    assert (await deskhand("tenant", "export")).out == exported.out
    assert json.loads((await deskhand("tenant", "export", "globex")).out)["tenants"] == file["tenants"][1:]


async def test_a_tenant_is_moved_with_its_secrets(
    deskhand: Run, acme: None, environment: dict[str, str], app_pool: Pool, superuser: Any, tmp_path: Path
) -> None:
    exported = (await deskhand("tenant", "export")).out
    await superuser.execute("DELETE FROM tenant_configs")
    (tmp_path / "secrets.json").write_text(json.dumps({"acme": {"api_key": OTHER_KEY, "webhook_secret": HOOK}}))
    command = ("tenant", "import", "-", "--secrets", str(tmp_path / "secrets.json"))
    dry = await deskhand(*command, "--dry-run", given=exported)
    assert dry.out == "tenant acme: would be added (acmedesk, live)\n"
    assert await superuser.fetchval("SELECT count(*) FROM tenant_configs") == 0
    assert (await deskhand(*command, given=exported)).out == "tenant acme: added (acmedesk, live)\n"
    assert (await deskhand(*command, given=exported)).out == "tenant acme: no change\n"
    config = await stored(environment, app_pool)
    assert (await config.connection())["api_key"] == OTHER_KEY
    assert config.active_at(datetime.now(UTC))
    assert config.secrets_at(datetime.now(UTC)) == (HOOK,)


async def test_without_its_secrets_it_is_not_active_until_it_is_completed(
    deskhand: Run, acme: None, environment: dict[str, str], app_pool: Pool, superuser: Any, tmp_path: Path
) -> None:
    exported = (await deskhand("tenant", "export")).out
    await superuser.execute("DELETE FROM tenant_configs")
    done = await deskhand("tenant", "import", "-", given=exported)
    assert (done.code, done.err) == (0, "")
    headline, lacks, *commands = done.out.splitlines()
    assert headline == "tenant acme: added (acmedesk, live, not active)"
    assert lacks == "  It lacks api_key, webhook_secret. To complete it:"
    assert [command.strip() for command in commands] == [
        "deskhand tenant update acme --ask-secret api_key",
        "deskhand tenant rotate-secret acme",
        "deskhand tenant activate acme",
    ]
    assert (await deskhand("tenant", "activate", "acme")).failed_with("tenant acme: api_key: is missing")
    # What it says, done.
    terminal = await Terminal.run(
        (sys.executable, "-m", "deskhand.cli", *commands[0].split()[1:]), environment, tmp_path
    )
    await terminal.answer("api_key (not shown): ", OTHER_KEY)
    assert (await terminal.end())[0] == 0
    for command in commands[1:]:
        assert (await deskhand(*command.split()[1:])).code == 0
    config = await stored(environment, app_pool)
    assert config.active_at(datetime.now(UTC))
    assert len(config.secrets_at(datetime.now(UTC))) == 1
    assert (await config.connection())["api_key"] == OTHER_KEY


async def test_an_import_changes_what_differs(
    deskhand: Run, acme: None, environment: dict[str, str], app_pool: Pool, tmp_path: Path
) -> None:
    file = json.loads((await deskhand("tenant", "export")).out)
    (tenant,) = file["tenants"]
    tenant["mode"], tenant["active"] = "pause", False
    tenant["settings"]["language"] = "german"
    tenant["connection"]["page_size"] = 12
    secrets = {"acme": {"api_key": OTHER_KEY, "webhook_secret": "another-hook"}}
    (tmp_path / "secrets.json").write_text(json.dumps(secrets))
    command = ("tenant", "import", "-", "--secrets", str(tmp_path / "secrets.json"), "--json")
    for dry_run in (("--dry-run",), ()):
        done = await deskhand(*command, *dry_run, given=json.dumps(file))
        (told,) = json.loads(done.out)["tenants"]
        assert told["changes"] == ["mode", "language", "api_key", "page_size", "active", "webhook_secret"]
    config = await stored(environment, app_pool)
    assert (config.mode, config.settings.language, config.active_until is None) == ("pause", "german", False)
    assert await config.connection() == {"base_url": "https://acme.example", "page_size": 12, "api_key": OTHER_KEY}
    assert set(config.secrets_at(datetime.now(UTC))) == {"another-hook", HOOK}


def _changed(**changes: Any) -> str:
    tenant = {"tenant": "globex", "tool": "acmedesk", "connection": {"base_url": "https://globex.example"}, **changes}
    return json.dumps({"deskhand": 1, "tenants": [tenant]})


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("", "the file: Invalid JSON"),
        ("[]", "the file: Input should be"),
        ('{"deskhand": 2, "tenants": []}', "the file: deskhand: Input should be 1"),
        (_changed(tenant="a_b"), "the file: tenants.0.tenant: String should match pattern"),
        (_changed(tool="nosuch"), "tenant globex: tool nosuch: no such plugin"),
        (_changed(settings={"langage": "german"}), "tenants.0.settings: langage: there is no such setting"),
        (_changed(settings={"retention_days": 0}), "tenants.0.settings.retention_days: Input should be greater"),
        (
            _changed(settings={"signature_scheme": "hmca"}),
            "tenant globex: settings signature_scheme hmca: acmedesk has no such scheme; it has header, hmac",
        ),
        (
            _changed(connection={"base_url": "https://x", "nosuch": 1}),
            "tenant globex: connection nosuch: the connection has no such field",
        ),
        (_changed(connection={"base_url": "x", "api_key": KEY}), "tenant globex: connection api_key: is a secret"),
        (_changed(), "tenant globex: api_key: is missing"),
        (_changed(tenant="acme", tool="jira", connection={}), "tenant acme: is a tenant of acmedesk"),
        (_changed(tenant="acme", secret_fields=["api_key", "second_key"]), "tenant acme: second_key: give it in the"),
    ],
)
async def test_a_file_that_cannot_be_taken_changes_nothing(
    deskhand: Run, acme: None, superuser: Any, file: str, message: str
) -> None:
    before = await superuser.fetch("SELECT * FROM tenant_configs")
    done = await deskhand("tenant", "import", "-", given=file)
    assert done.failed_with(message), done
    assert KEY not in done.err
    assert await superuser.fetch("SELECT * FROM tenant_configs") == before


@pytest.mark.parametrize(
    ("secrets", "message"),
    [
        (KEY, "the secrets: must be one JSON object"),
        (f'{{"acme": "{KEY}"}}', "the secrets: must be one JSON object"),
        (f'{{"nobody": {{"api_key": "{KEY}"}}}}', "--secrets: nobody: the file of tenants does not name it"),
        (f'{{"acme": {{"nosuch": "{KEY}"}}}}', "nosuch: the connection has no such field"),
    ],
)
async def test_secrets_that_cannot_be_taken_change_nothing(
    deskhand: Run, acme: None, tmp_path: Path, secrets: str, message: str
) -> None:
    exported = (await deskhand("tenant", "export")).out
    (tmp_path / "export.json").write_text(exported)
    done = await deskhand("tenant", "import", str(tmp_path / "export.json"), "--secrets", "-", given=secrets)
    assert done.failed_with(message), done
    assert KEY not in done.err
    done = await deskhand("tenant", "import", str(tmp_path / "none.json"))
    assert done.failed_with("FILE: cannot be read: No such file or directory")


async def test_a_file_whose_last_tenant_cannot_be_taken_changes_none_of_the_others(
    deskhand: Run, acme: None, superuser: Any
) -> None:
    file = json.loads((await deskhand("tenant", "export")).out)
    (tenant,) = file["tenants"]
    last = {**tenant, "tenant": "zeta", "settings": {**tenant["settings"], "language": "klingon"}}
    changed = json.dumps({**file, "tenants": [{**tenant, "mode": "pause"}, last]})
    before = await superuser.fetch("SELECT * FROM tenant_configs")
    for dry_run in (("--dry-run",), ()):
        done = await deskhand("tenant", "import", "-", *dry_run, given=changed)
        assert done.failed_with("tenant zeta: language: klingon is not one that PostgreSQL can search in"), done
    assert await superuser.fetch("SELECT * FROM tenant_configs") == before


async def test_the_same_file_again_does_not_activate_a_tenant_without_a_webhook_secret(
    deskhand: Run, acme: None, superuser: Any, tmp_path: Path
) -> None:
    exported = (await deskhand("tenant", "export")).out
    await superuser.execute("DELETE FROM tenant_configs")
    (tmp_path / "secrets.json").write_text(json.dumps({"acme": {"api_key": KEY}}))
    command = ("tenant", "import", "-", "--secrets", str(tmp_path / "secrets.json"))
    assert "It lacks webhook_secret." in (await deskhand(*command, given=exported)).out
    again = await deskhand(*command, given=exported)
    assert again.failed_with("tenant acme: webhook_secret: give it in the file of --secrets"), again
    assert await superuser.fetchval("SELECT active_until IS NOT NULL FROM tenant_configs")


async def test_a_secret_that_is_on_its_way_out_is_given_anew(
    deskhand: Run, acme: None, environment: dict[str, str], app_pool: Pool, tmp_path: Path
) -> None:
    exported = (await deskhand("tenant", "export")).out
    assert (await deskhand("tenant", "rotate-secret", "acme", "--keep-old", "2h")).code == 0
    (tmp_path / "secrets.json").write_text(json.dumps({"acme": {"webhook_secret": HOOK}}))
    command = ("tenant", "import", "-", "--secrets", str(tmp_path / "secrets.json"))
    assert (await deskhand(*command, given=exported)).out == "tenant acme: changed: webhook_secret\n"
    assert HOOK in (await stored(environment, app_pool)).secrets_at(datetime.now(UTC) + timedelta(days=30))
    assert (await deskhand(*command, given=exported)).out == "tenant acme: no change\n"


async def test_an_import_that_changes_nothing_and_an_export_are_entered_for_their_tenants(
    deskhand: Run, acme: None
) -> None:
    exported = (await deskhand("tenant", "export")).out
    assert (await deskhand("tenant", "import", "-", given=exported)).out == "tenant acme: no change\n"
    entries = json.loads((await deskhand("audit", "--tenant", "acme", "--area", "tenant", "--json")).out)
    assert [entry["action"] for entry in entries][:2] == ["tenant.import", "tenant.export"]
    assert json.loads((await deskhand("audit", "--tenant", "acm", "--area", "tenant", "--json")).out) == []


async def test_what_a_vendor_says_is_stored_and_shown_without_what_steers_a_terminal(
    deskhand: Run, superuser: Any
) -> None:
    hostile = [part.replace("acme.example", "hostile.example") for part in ADD]
    added = await deskhand(*hostile, "--secrets-stdin", given=SECRETS)
    assert (added.code, added.err) == (0, "")
    assert "own_account_id is ]0;ownedu-1" in " ".join(added.out.split())
    shown = await deskhand("tenant", "show", "acme")
    assert '"own_account_id": "]0;ownedu-1"' in shown.out
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", added.out + shown.out)
    settings = json.loads(await superuser.fetchval("SELECT settings FROM tenant_configs"))
    await superuser.execute(
        "UPDATE tenant_configs SET settings = $1", json.dumps({**settings, "own_account_id": "u\x9b\u202e-2"})
    )
    assert '"own_account_id": "u-2"' in (await deskhand("tenant", "show", "acme")).out


@pytest.mark.parametrize("account", ["u\x1b[31m", "u\udc80", "\u202eu", ""])
async def test_an_account_id_is_text_that_can_be_shown(deskhand: Run, acme: None, account: str) -> None:
    done = await deskhand("tenant", "update", "acme", "--own-account-id", account)
    assert done.failed_with("--own-account-id: must be text that can be shown"), done


async def test_a_plugin_that_cannot_say_its_steps_takes_no_secret_with_it(deskhand: Run, superuser: Any) -> None:
    stepless = [part.replace("acme", "stepless") if part == "acme" else part for part in ADD]
    assert (await deskhand(*stepless, "--secrets-stdin", given=json.dumps({"api_key": KEY}))).code == 1
    assert await superuser.fetchval("SELECT count(*) FROM tenant_configs") == 0
