"""`deskhand migrate`."""

import asyncio

from deskhand.settings import load_settings


def migrate() -> None:
    """Bring the database up to date, and let the roles of the services log in with the passwords in their URLs.

    Needs DESKHAND_DATABASE_OWNER_URL, DESKHAND_DATABASE_URL and DESKHAND_DATABASE_OPERATOR_URL. Safe to repeat.
    """
    from deskhand.db.migrate import migrate as bring_up_to_date

    settings = load_settings()
    applied = asyncio.run(
        bring_up_to_date(
            settings.secret("database_owner_url"),
            settings.secret("database_url"),
            settings.secret("database_operator_url"),
        )
    )
    for name in applied:
        print(f"applied {name}")
    print(f"{len(applied)} migrations applied" if applied else "up to date")
