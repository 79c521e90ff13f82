"""The state of a ticket on which an earlier note was looked for, kept for the write that follows the look.

Zendesk refuses a *safe update* (409) if the ticket was updated after the moment that the update names. If that moment
was read before the look, a note that lands between look and write (an earlier attempt's, committed late) makes the
write fail instead of a second note; read after the look, it would cover up the very note that matters. Zendesk's
moments are whole seconds: a note that lands in the same second as the update before it goes unnoticed.

`has_note` and `update_ticket` have no argument to hand the moment over by, and one plugin object serves many tickets at
once, so it is kept in a context variable: it belongs to the task that makes the two calls. Where a task writes without
a look, or a caller puts the look into a task of its own, nothing is found here, and the write reads the ticket itself.
"""

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class _Look:
    plugin: object
    """A task may outlive a plugin: another one's look is not this one's."""
    tenant_id: str
    ticket_id: str
    updated_at: str
    used: bool = False
    """Kept here and not by emptying the variable: tasks that a task starts inherit its variables, and see this."""


_LAST: ContextVar[_Look | None] = ContextVar("deskhand_zendesk_look", default=None)


def keep(plugin: object, tenant_id: str, ticket_id: str, updated_at: str) -> None:
    """Remember that no note was seen on the ticket as it was at `updated_at` (in Zendesk's own spelling)."""
    _LAST.set(_Look(plugin, tenant_id, ticket_id, updated_at))


def take(plugin: object, tenant_id: str, ticket_id: str) -> str | None:
    """The `updated_at` of this task's last look, if it was at this ticket. It counts for one write."""
    last = _LAST.get()
    if last is None or last.used or last.plugin is not plugin:
        return None
    if (last.tenant_id, last.ticket_id) != (tenant_id, ticket_id):
        return None
    last.used = True
    return last.updated_at
