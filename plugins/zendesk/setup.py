"""What a Zendesk administrator does to have webhooks sent. Where things are is as Zendesk's pages on webhooks and
triggers have it.

Zendesk makes the signing secret itself, when the webhook is there: it comes to us, not the other way round. The bodies
hold ids alone: whether Zendesk escapes what it puts in for other placeholders is not to be relied on.

A line of its own within a step is to be copied as it is.
"""


def webhook_steps(address: str, tenant_id: str) -> tuple[str, ...]:
    """A webhook for triggers, its secret brought here, and two triggers."""
    return (
        (
            "As a Zendesk administrator, open Admin Center > Apps and integrations > Webhooks and create a "
            "webhook that is connected to a trigger or automation."
        ),
        (
            "Name it Deskhand, choose the request method POST, the request format JSON and no authentication, "
            f"since Zendesk signs each delivery, and give as its endpoint URL:\n{address}"
        ),
        (
            "Create it. Then have its page show the signing secret that Zendesk made: this is the webhook "
            f"secret. Give it to Deskhand, which asks for it:\ndeskhand tenant rotate-secret {tenant_id} --ask "
            "--keep-old 0"
        ),
        (
            "Under Objects and rules > Business rules > Triggers, create a trigger for new tickets: condition "
            "Ticket is Created, action Notify active webhook with the webhook Deskhand, and the JSON body:\n"
            '{"event": "ticket_created", "ticket_id": "{{ticket.id}}"}'
        ),
        (
            "So that Deskhand learns how tickets were solved, create a second trigger: condition Status changed "
            "to Solved, the same action, and the JSON body:\n"
            '{"event": "ticket_solved", "ticket_id": "{{ticket.id}}", '
            '"resolved_at": "{{ticket.updated_at_with_timestamp}}"}'
        ),
    )
