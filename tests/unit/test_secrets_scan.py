"""The secrets scan of `make check` finds what is planted, in the tree and in a commit that was taken back."""

import base64
import json
import re
import secrets
import shlex
import shutil
import string
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from deskhand.crypto.keyring import Keyring

ROOT = Path(__file__).parents[2]
FOUND = 200
"""The scanner's exit code for findings."""
GIT = shutil.which("git") or "git"
MAKE = shutil.which("make") or "make"


def characters(count: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(count))


def private_key() -> str:
    body = "\n".join(base64.b64encode(secrets.token_bytes(48)).decode() for _ in range(20))
    return f"-----BEGIN {'PRIVATE'} KEY-----\n{body}\n-----END {'PRIVATE'} KEY-----"


# Each makes up a new one, so that no file of ours holds any.
PLANTED: dict[str, Callable[[], str]] = {
    "an AWS key": lambda: f'key = "AKIA{characters(16, string.ascii_uppercase + "234567")}"',
    "a private key": private_key,
    "a Jira API token": lambda: f"JIRA_TOKEN=ATATT3x{characters(180)}={characters(8, '0123456789ABCDEF')}",
    "a keyring in a variable": lambda: f"DESKHAND_PAYLOAD_KEYS={Keyring.generate_text()}",
    "a keyring in a file": lambda: f"# payload keys\n{Keyring.generate_text('2026-11-')}\n",
    "a keyring of two in Python": lambda: f'KEYS = "{Keyring.generate_text()},{Keyring.generate_text()}"',
    "a padded key": lambda: f"k1:{base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()}",
    "a database's password": lambda: f"URL=postgresql://deskhand_app:{characters(24)}@db.internal:5432/deskhand",
    "the password of a database that is called an example": (
        lambda: f"URL=postgresql://deskhand_app:{characters(24)}@db.example.org:5432/deskhand"
    ),
    "the codec's token": lambda: f"DESKHAND_CODEC_TOKEN={secrets.token_urlsafe(24)}",
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository of its own, with the scan's configuration in it and one commit."""
    shutil.copytree(ROOT / ".kingfisher", tmp_path / ".kingfisher")
    (tmp_path / "README.md").write_text("Nothing to see.\n")
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    return tmp_path


def git(folder: Path, *arguments: str) -> None:
    us = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    subprocess.run([GIT, *us, *arguments], cwd=folder, check=True)


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "test")


def scan(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """What `make check` runs, in another folder."""
    recipe = subprocess.run(
        [MAKE, "--dry-run", "--no-print-directory", "check"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.replace("\\\n", " ")
    (line,) = (line for line in recipe.splitlines() if "kingfisher" in line)
    command = [str(ROOT / part) if part.startswith(".venv/") else part for part in shlex.split(line)]
    return subprocess.run([*command, *more], cwd=folder, capture_output=True, text=True, check=False)


def test_a_clean_repository_passes(repository: Path) -> None:
    done = scan(repository)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("what", PLANTED)
def test_what_is_planted_in_the_tree_is_found_and_not_quoted(repository: Path, what: str) -> None:
    secret = PLANTED[what]()
    (repository / "notes.txt").write_text(f"{secret}\n")
    done = scan(repository)
    assert done.returncode == FOUND, done.stdout
    assert "notes.txt" in done.stdout
    for part in re.findall(r"[A-Za-z0-9+/_-]{16,}", secret):
        if not part.startswith(("DESKHAND", "JIRA")):
            assert part not in done.stdout


@pytest.mark.parametrize("what", PLANTED)
def test_what_was_committed_and_taken_back_is_found(repository: Path, what: str) -> None:
    planted = repository / "notes.txt"
    planted.write_text(f"{PLANTED[what]()}\n")
    commit(repository)
    planted.unlink()
    commit(repository)
    assert scan(repository).returncode == FOUND


def test_what_is_no_secret_is_left_alone(repository: Path) -> None:
    shutil.copytree(ROOT / "requirements", repository / "requirements")
    (repository / "settings.env").write_text(
        "DESKHAND_CODEC_TOKEN=$CODEC_TOKEN\nDESKHAND_DATABASE_URL=postgresql://db.example.org/deskhand\n"
        "DESKHAND_PAYLOAD_KEYS=keyid:base64url\n"
    )
    done = scan(repository)
    assert done.returncode == 0, done.stdout


def test_our_own_rules_hold_to_their_examples() -> None:
    done = subprocess.run(
        [
            *(str(ROOT / ".venv/bin/kingfisher"), "rules", "check", "--rules-path", ".kingfisher/rules.yaml"),
            *("--load-builtins", "false", "--no-update-check", "--warnings-as-errors"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_asks_nobody(repository: Path) -> None:
    """A scanner that tries what it finds hands it to others."""
    (repository / "notes.txt").write_text(f"{PLANTED['a Jira API token']()}\n{PLANTED['an AWS key']()}\n")
    done = scan(repository, "--format", "json")
    report = json.loads(done.stdout)
    assert {finding["finding"]["validation"]["outcome"] for finding in report["findings"]} == {"not_attempted"}
    assert report["metadata"]["update_check_status"] == "disabled"


def test_it_leaves_out_what_the_repository_does_and_nothing_else() -> None:
    configuration = (ROOT / ".kingfisher/config.yaml").read_text()
    excluded = re.search(r"  exclude:\n((?:    - .+\n)+)", configuration)
    assert excluded is not None
    listed = {line.strip().removeprefix("- ").strip('"') for line in excluded[1].splitlines()}
    ignored = {line.rstrip("/") for line in (ROOT / ".gitignore").read_text().splitlines()}
    assert listed == ignored
