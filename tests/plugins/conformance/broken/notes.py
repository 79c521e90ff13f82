"""Broken in how they write notes."""

from plugins.exceptions import APIError, OutcomeUnknownError, PluginError, PrivacyError
from plugins.types import PostedNote
from tests.plugins.conformance.acme import AcmePlugin
from tests.plugins.conformance.broken.registry import breaks


@breaks("A note is private, or it is not posted.")
class PublicNote(AcmePlugin):
    """Does not ask for privacy, and does not look at the reply."""

    async def post_note(self, tenant_id: str, ticket_id: str, content: str) -> PostedNote | None:
        note = {"html": self.html(content)}
        response = await self.ask(tenant_id, "POST", f"{ticket_id}/notes", json_body=note)
        return None if response.status_code in (404, 409) else PostedNote(private=bool(self.body(response)))


@breaks("A note that comes out public is a PrivacyError, and is not tried again.")
class PublicNoteRetried(AcmePlugin):
    async def update_ticket(self, tenant_id: str, ticket_id: str, content: str) -> bool:
        try:
            return await super().update_ticket(tenant_id, ticket_id, content)
        except PrivacyError:
            return await super().update_ticket(tenant_id, ticket_id, content)


@breaks("A note that comes out public is a PrivacyError, and is not tried again.")
class ReplyNotRead(AcmePlugin):
    """Asks for privacy, and takes it as given."""

    async def post_note(self, tenant_id: str, ticket_id: str, content: str) -> PostedNote | None:
        posted = await super().post_note(tenant_id, ticket_id, content)
        return posted and PostedNote(private=True)


@breaks("A note that comes out public is taken back, where the tool has a way.")
class PublicNoteLeft(AcmePlugin):
    async def retract_note(self, tenant_id: str, ticket_id: str, posted: PostedNote) -> bool:
        return False


@breaks("Where taking back a public note fails too, it is still a PrivacyError.")
class ErrorOfTakingBack(AcmePlugin):
    async def update_ticket(self, tenant_id: str, ticket_id: str, content: str) -> bool:
        posted = await self.post_note(tenant_id, ticket_id, content)
        if posted is not None and not posted.private:
            response = await self.ask(tenant_id, "DELETE", f"{ticket_id}/notes/{posted.note_id}")
            if not response.is_success:
                self.refuse(response)
            raise PrivacyError("acme: the note came out public; it was taken back")
        return posted is not None


@breaks("A note says what was to be said, with its reference, under the tenant's own account.")
class ReferenceLeftOut(AcmePlugin):
    def html(self, content: str) -> str:
        return super().html(content.rpartition("\n\n")[0] or content)


@breaks("Markdown is turned into the tool's own markup.")
class MarkdownAsItIs(AcmePlugin):
    def html(self, content: str) -> str:
        return f"<p>{content[:1000]}</p><p>{content[-100:]}</p>"


@breaks("Nothing in a note does anything: no scripts, no images, no forms, no links but to the web.")
class HtmlAsItIs(AcmePlugin):
    """Its pretend tool cleans up after it, and the real one might not."""

    def html(self, content: str) -> str:
        return content if "<script" in content else super().html(content)


@breaks("However long a note is, it is posted, with its beginning, and its reference is kept whole.")
class ReferenceCutOff(AcmePlugin):
    def html(self, content: str) -> str:
        return super().html(content[:5_000])


@breaks("A note of next to nothing is posted or refused, and nothing worse.")
class ExpectsLines(AcmePlugin):
    def html(self, content: str) -> str:
        return super().html(content) if content.splitlines()[0] else ""


@breaks("A ticket that is not there takes no note: False, or a TicketRefusedError.")
class MissingTicketRaises(AcmePlugin):
    async def post_note(self, tenant_id: str, ticket_id: str, content: str) -> PostedNote | None:
        posted = await super().post_note(tenant_id, ticket_id, content)
        if posted is None:
            raise APIError("acme answered 404")
        return posted


@breaks("A closed ticket takes no note: False, or a TicketRefusedError with the vendor's words.")
class RefusalSwallowed(AcmePlugin):
    async def update_ticket(self, tenant_id: str, ticket_id: str, content: str) -> bool:
        try:
            return await super().update_ticket(tenant_id, ticket_id, content)
        except PluginError as error:
            return "closed" in str(error)


@breaks("A note whose reply was lost is an OutcomeUnknownError, and was sent once.")
class LostReplyRetried(AcmePlugin):
    """Not the same request again, and a second note all the same."""

    async def update_ticket(self, tenant_id: str, ticket_id: str, content: str) -> bool:
        try:
            return await super().update_ticket(tenant_id, ticket_id, content)
        except OutcomeUnknownError:
            return await super().update_ticket(tenant_id, ticket_id, f"Once more:\n\n{content}")
