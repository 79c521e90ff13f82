"""What a ServiceDesk Plus administrator does to have webhooks sent. Where things are is as the vendor's admin guides
for MSP and Cloud have it; how variables are spelt differs by product and version, so the steps have them looked up.

A line of its own within a step is to be copied as it is.
"""

from plugins.servicedesk_plus.authentication import HMAC_HEADER, SECRET_HEADER, Scheme

_CREATED = '{"event": "ticket_created", "ticket_id": "$RequestId"}'
_RESOLVED = '{"event": "ticket_resolved", "ticket_id": "$RequestId"}'


def webhook_steps(address: str, scheme: Scheme) -> tuple[str, ...]:
    """A webhook each for new and resolved requests, or under the scheme `hmac` a script that sends them."""
    if scheme is Scheme.HMAC:
        return _script_steps(address)
    return (
        (
            "As an administrator, open the webhooks: on-premises and MSP under Admin, in Cloud under Setup > "
            "Automation > Custom Actions > Webhooks. Create one with the name Deskhand new request."
        ),
        f"Choose the method POST, and give as its URL:\n{address}",
        _authentication(scheme),
        "Give it the request header Content-Type with the value application/json.",
        (
            "Give it the body below. $RequestId stands for the variable that your version has for the request's "
            f"id: type $ to be offered the variables, and take that one.\n{_CREATED}"
        ),
        "Have the webhook run when a request is created; in Cloud a trigger does that.",
        (
            "So that Deskhand learns how requests were solved, create a second webhook, Deskhand resolved "
            f"request, that runs when a request is resolved or closed, the same but for its body:\n{_RESOLVED}"
        ),
    )


def _authentication(scheme: Scheme) -> str:
    if scheme is Scheme.BASIC:
        return "Choose Basic authentication, with deskhand as the user name and the webhook secret as the password."
    return f"Give it the request header {SECRET_HEADER} with the webhook secret as the value."


def _script_steps(address: str) -> tuple[str, ...]:
    return (
        (
            "Write a custom function, such as one in Deluge, that makes this body, with the request's id in it, "
            f"and keeps it as text:\n{_CREATED}"
        ),
        "Have it compute the HMAC-SHA256 of exactly that text, with the webhook secret as the key, as lower-case hex.",
        (
            f"Have it POST the text as application/json to the address below, with the header {HMAC_HEADER} whose "
            f"value is sha256= followed by the hex.\n{address}"
        ),
        "Have it run when a request is created.",
        (
            "So that Deskhand learns how requests were solved, have it run when one is resolved or closed, too, "
            f"with the body:\n{_RESOLVED}"
        ),
    )
