"""Access tokens of a pretend tool that gives them out (OAuth)."""

import secrets


class Tokens:
    """What was given out, to whom, and whether it still counts."""

    def __init__(self) -> None:
        self._credentials: dict[str, str] = {}
        self.issued = 0
        """How many were given out so far."""

    def issue(self, credential: str) -> str:
        """A new token for the account with this credential."""
        token = secrets.token_urlsafe(24)
        self._credentials[token] = credential
        self.issued += 1
        return token

    def credential(self, token: str) -> str | None:
        """The credential of the account that the token was given to; `None` if it does not count (any more)."""
        return self._credentials.get(token)

    def expire(self) -> None:
        """Have none of them count any more."""
        self._credentials.clear()
