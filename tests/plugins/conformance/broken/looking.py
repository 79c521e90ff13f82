"""Broken in how they look for a note."""

from collections.abc import Sequence
from typing import Any

import httpx

from plugins.exceptions import APIError
from plugins.types import PostedNote
from tests.plugins.conformance.acme import AcmePlugin
from tests.plugins.conformance.broken.registry import breaks


@breaks("A note is not found before it was written, is found afterwards, and is not taken for another.")
class AnyNoteWillDo(AcmePlugin):
    async def has_note(self, tenant_id: str, ticket_id: str, ref: str) -> bool | None:
        return await super().has_note(tenant_id, ticket_id, "dh-")


@breaks("A note is found under hundreds of later comments.")
class FirstPageOnly(AcmePlugin):
    def is_last(self, notes: Sequence[Any]) -> bool:
        return True


@breaks("That a note is not there is said only once all comments were looked at.")
class NewestPageLeftOut(AcmePlugin):
    async def ask(self, tenant_id: str, method: str, path: str, **more: Any) -> httpx.Response:
        if "params" in more:
            more["params"] = {"page": str(int(more["params"]["page"]) + 1)}
        return await super().ask(tenant_id, method, path, **more)


@breaks("A note whose reply was lost is found.", "A note that landed after we had given up on it is found.")
class RemembersInstead(AcmePlugin):
    async def post_note(self, tenant_id: str, ticket_id: str, content: str) -> PostedNote | None:
        posted = await super().post_note(tenant_id, ticket_id, content)
        self.__dict__.setdefault("posted", []).append(content)
        return posted

    async def has_note(self, tenant_id: str, ticket_id: str, ref: str) -> bool | None:
        return any(ref in content for content in self.__dict__.get("posted", ()))


@breaks("Of two notes of ours one stays.")
class RemovesBoth(AcmePlugin):
    async def has_note(self, tenant_id: str, ticket_id: str, ref: str) -> bool | None:
        found = await self.find_notes(tenant_id, ticket_id, ref)
        if found is None or found.best is None:
            return False
        for surplus in (*found.surplus, found.best) if found.surplus else ():
            await self.remove_note(tenant_id, ticket_id, surplus)
        return True


@breaks("What others wrote is left alone, even where it quotes our note.")
class TakesAwayQuotes(AcmePlugin):
    async def has_note(self, tenant_id: str, ticket_id: str, ref: str) -> bool | None:
        found = await super().has_note(tenant_id, ticket_id, ref)
        response = await self.ask(tenant_id, "GET", f"{ticket_id}/notes")
        for note in response.json().get("notes", ()) if found else ():
            if not note["private"]:
                await self.ask(tenant_id, "DELETE", f"{ticket_id}/notes/{note['id']}")
        return found


@breaks("An earlier note of ours that came out public is a PrivacyError, not a note.")
class PublicNoteCounts(AcmePlugin):
    async def has_note(self, tenant_id: str, ticket_id: str, ref: str) -> bool | None:
        found = await self.find_notes(tenant_id, ticket_id, ref)
        return found is not None and found.best is not None


@breaks("On a ticket that is not there no note is found.")
class MissingTicketRaises(AcmePlugin):
    async def ask(self, tenant_id: str, method: str, path: str, **more: Any) -> httpx.Response:
        response = await super().ask(tenant_id, method, path, **more)
        if "params" in more and response.status_code == 404:
            raise APIError("acme answered 404")
        return response
