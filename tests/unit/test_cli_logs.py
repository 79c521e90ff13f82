"""What a command logs is not among what it prints."""

import subprocess
import sys

_LOGS_BEFORE_ITS_COMMAND = """
import sys, structlog

import deskhand.crypto.keyring as keyring
made = keyring.Keyring.generate_text
def told(*given):
    structlog.get_logger().info("keys.read")
    structlog.get_logger().error("keys.not_read")
    return made(*given)
keyring.Keyring.generate_text = staticmethod(told)
sys.argv = ["deskhand", "keys", "generate", "--ring", "payload"]
from deskhand.cli import main
main()
"""


def test_logs_go_to_standard_error_and_only_what_matters() -> None:
    done = subprocess.run([sys.executable, "-c", _LOGS_BEFORE_ITS_COMMAND], capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 1, done.stdout
    assert "keys.not_read" in done.stderr
    assert "keys.read" not in done.stderr
