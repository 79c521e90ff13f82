"""SCRAM-SHA-256 verifiers: what PostgreSQL keeps of a password, made here so that none stands in a server log."""

import base64
import hashlib
import hmac
import os

ITERATIONS = 4096
"""PostgreSQL's own default (`scram_iterations`)."""
_SALT_BYTES = 16


def scram_verifier(password: str, salt: bytes | None = None) -> str:
    """`SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>` (RFC 5803), which PostgreSQL stores as it is.

    Raises:
        ValueError: empty, or not printable ASCII (other characters would need SASLprep on both sides).
    """
    if not password or not (password.isascii() and password.isprintable()):
        raise ValueError("must be printable ASCII characters, at least one")
    salt = os.urandom(_SALT_BYTES) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${ITERATIONS}:{_base64(salt)}${_base64(stored_key)}:{_base64(server_key)}"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
