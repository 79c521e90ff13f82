"""What keeps a note from the requester: it depends on the project. Pure: no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plugins.exceptions import APIError, ConfigurationError
from plugins.jira.connection import JiraConnection
from plugins.jira.values import mapping

INTERNAL = {"key": "sd.public.comment", "value": {"internal": True}}
"""The comment property that makes a comment internal in a service project. Sent with every note: it does no harm
elsewhere."""

SERVICE_PROJECT = "service_desk"
"""The `projectTypeKey` of a service project: the only kind that has customers and internal comments."""


@dataclass(frozen=True, slots=True)
class Hiding:
    """What hides a note in a project."""

    internal: bool
    """It is an internal comment of a service project."""
    visibility: Mapping[str, str] | None = None
    """It is for a role only. Anywhere but in service projects, `None`: whoever sees the project may read it."""

    def hides(self, comment: Mapping[str, Any]) -> bool | None:
        """Whether Jira says that the comment is hidden like this; `None` if it does not say.

        `visibility` hides nothing from a service project's customers, and `jsdPublic` is true in all other projects,
        whatever was asked for.
        """
        if self.internal:
            public = comment.get("jsdPublic")
            return not public if isinstance(public, bool) else None
        if self.visibility is None:
            return True
        given = mapping(comment.get("visibility"))
        return all(given.get(name) == value for name, value in self.visibility.items())


def hiding_for(issue: Mapping[str, Any], connection: JiraConnection, tenant_id: str) -> Hiding:
    """What hides a note on this issue. Its project's type decides, and must be known.

    Raises:
        APIError: Jira does not say of which type the project is.
        ConfigurationError: it is no service project, and nothing says how to hide a note there.
    """
    kind = mapping(mapping(issue.get("fields")).get("project")).get("projectTypeKey")
    if not isinstance(kind, str) or not kind:
        raise APIError("jira: the issue's project has no projectTypeKey, which says how to hide a note")
    if kind == SERVICE_PROJECT:
        return Hiding(internal=True)
    if connection.visibility_role:
        return Hiding(internal=False, visibility={"type": "role", "value": connection.visibility_role})
    if connection.allow_project_visible:
        return Hiding(internal=False)
    raise ConfigurationError(
        f"tenant {tenant_id}: visibility_role: the issue's project is no service project, where notes would be "
        "public; set visibility_role to a project role, or allow_project_visible to accept that"
    )
