import base64
import hashlib
import hmac

import pytest

from deskhand.db.passwords import scram_verifier

# RFC 7677 §3: the exchange of user `user` with password `pencil`.
SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
NONCE = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
AUTH_MESSAGE = f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={NONCE}".encode()
PROOF = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
SERVER_SIGNATURE = base64.b64decode("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")


def test_verifier_accepts_the_proof_of_rfc_7677() -> None:
    scheme, iterations_and_salt, keys = scram_verifier("pencil", SALT).split("$")
    stored_key, server_key = (base64.b64decode(part) for part in keys.split(":"))
    assert (scheme, iterations_and_salt) == ("SCRAM-SHA-256", f"4096:{base64.b64encode(SALT).decode()}")
    client_signature = hmac.digest(stored_key, AUTH_MESSAGE, "sha256")
    client_key = bytes(a ^ b for a, b in zip(PROOF, client_signature, strict=True))
    assert hashlib.sha256(client_key).digest() == stored_key
    assert hmac.digest(server_key, AUTH_MESSAGE, "sha256") == SERVER_SIGNATURE


def test_each_verifier_has_a_salt_of_its_own() -> None:
    assert scram_verifier("pencil") != scram_verifier("pencil")


@pytest.mark.parametrize("password", ["", "pässword", "line\nbreak"])
def test_passwords_that_would_need_saslprep_are_refused(password: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        scram_verifier(password)
