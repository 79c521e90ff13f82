"""What a Jira administrator does to have webhooks sent. Where things are is as Atlassian's pages "Webhooks" and
"Automation webhooks" have it.

A line of its own within a step is to be copied as it is.
"""


def webhook_steps(address: str) -> tuple[str, ...]:
    """A webhook of the site, which Jira signs."""
    return (
        "As a Jira administrator, open the settings, then System > WebHooks, and create a webhook.",
        f"Name it Deskhand, let it be enabled, and give as its URL:\n{address}",
        "Give the webhook secret as its secret. Without one Jira signs nothing, and every delivery is refused.",
        (
            "Have it tell of these events under Issue: created, for the notes; and updated, so that Deskhand "
            "learns how issues were resolved."
        ),
        (
            "Limit it by JQL to the projects whose issues are to have notes, such as this one with your "
            "project's key:\nproject = HELP"
        ),
        "Leave the body in (exclude body: no), and create it. Jira calls https addresses only.",
    )


def automation_steps(address: str, header: str) -> tuple[str, ...]:
    """Two Automation rules, which cannot sign and so send the secret itself."""
    return (
        "In the project's settings open Automation and create a rule whose trigger is that an issue is created.",
        f"Give it the action Send web request, with the method POST and the web request URL:\n{address}",
        f"Add the header {header} with the webhook secret as its value, and have the value hidden.",
        'Have it send custom data as its body:\n{"event": "issue_created", "ticket_id": "{{issue.key}}"}',
        (
            "So that Deskhand learns how issues were resolved, make a second rule, whose trigger is that an "
            "issue moves to a status in which it is done, with the same action and this body:\n"
            '{"event": "issue_resolved", "ticket_id": "{{issue.key}}", "updated_at": "{{issue.updated}}"}'
        ),
        "Turn both rules on.",
    )
