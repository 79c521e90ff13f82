"""`make audit`: every pin of every requirements file, asked of a database of known vulnerabilities.

Exit code 0: all were asked about, and nothing is known. 1: something is known. 2: not all could be asked about, which
is never taken for good news.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from requirements.pins import FOLDER, Pin, pins

OSV = "https://api.osv.dev/v1/query"
"""The database of the Open Source Vulnerabilities project. It holds the advisories of PyPA and of GitHub."""
SECONDS = 15
"""How long one question may take."""

ACCEPTED: dict[str, str] = {}
"""Vulnerabilities that do not concern us: the id, and why."""


class NotAskedError(Exception):
    """The database gave no answer for every pin. The message is one line."""


def main() -> int:
    """Ask, and say what is known; the exit status."""
    parser = argparse.ArgumentParser(prog="make audit", description=__doc__)
    parser.add_argument("--osv-url", default=OSV, help="where the database answers")
    url = parser.parse_args().osv_url
    known = asked = 0
    for file in sorted(FOLDER.glob("*.txt")):
        wanted = pins(file.name)
        try:
            found = ask(wanted, url)
        except NotAskedError as error:
            print(f"audit: could not ask about requirements/{file.name}: {error}", file=sys.stderr)
            print("audit: so nothing is known of these pins, good or bad", file=sys.stderr)
            return 2
        for finding in found:
            print(f"requirements/{file.name}: {finding}")
        known += len(found)
        asked += len(wanted)
    if known:
        print(
            "audit: renew what is affected (make lock UPGRADE=1), or say in requirements/audit.py why it is no matter"
        )
        return 1
    print(f"audit: no vulnerability is known of any of {asked} pins")
    return 0


def ask(wanted: tuple[Pin, ...], url: str) -> list[str]:
    """What is known of these pins, a line each.

    Raises:
        NotAskedError: there is no answer for one of them.
    """
    with tempfile.TemporaryDirectory() as folder:
        # Without markers: what is pinned for another platform counts as well.
        listed = Path(folder) / "pins.txt"
        listed.write_text("".join(f"{pin.name}=={pin.version}\n" for pin in wanted))
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pip_audit", "--requirement", str(listed), "--no-deps", "--disable-pip"),
                *("--vulnerability-service", "osv", "--osv-url", url, "--timeout", str(SECONDS), "--strict"),
                *("--format", "json", "--progress-spinner", "off", "--cache-dir", folder),
                *(argument for accepted in ACCEPTED for argument in ("--ignore-vuln", accepted)),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    return findings(wanted, done)


def findings(wanted: tuple[Pin, ...], done: subprocess.CompletedProcess[str]) -> list[str]:
    """What pip-audit's answer says of these pins, a line each.

    Raises:
        NotAskedError: it is no answer, or none for one of them.
    """
    try:
        answered = {found["name"]: found for found in json.loads(done.stdout)["dependencies"]}
    except (ValueError, KeyError, TypeError):
        raise NotAskedError(_last_line(done.stderr)) from None
    silent = [pin.name for pin in wanted if "vulns" not in answered.get(pin.name, {})]
    if silent:
        raise NotAskedError(f"no answer about {', '.join(silent)}")
    lines = [
        _line(answered[pin.name], vulnerability) for pin in wanted for vulnerability in answered[pin.name]["vulns"]
    ]
    if done.returncode and not lines:
        raise NotAskedError(_last_line(done.stderr))
    return lines


def _line(found: dict[str, Any], vulnerability: dict[str, Any]) -> str:
    names = ", ".join(sorted({vulnerability["id"], *vulnerability.get("aliases", ())}))
    fixed = ", ".join(vulnerability["fix_versions"]) or "no version yet"
    return f"{found['name']} {found['version']}: {names}; fixed in {fixed}"


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:300] if lines else "pip-audit said nothing"


if __name__ == "__main__":
    sys.exit(main())
