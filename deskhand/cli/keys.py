"""`deskhand keys …`: make keyrings, see what is sealed with which key, put a new key in an old one's place."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from deskhand.cli.errors import CliError
from deskhand.cli.key_rotation import Step, remove_key, rotate_ring
from deskhand.cli.key_status import look, print_standing, standing_json
from deskhand.cli.shared import print_json
from deskhand.crypto.keyfile import KeyFileError, create
from deskhand.crypto.keyring import Keyring
from deskhand.keys.rings import RingKind
from deskhand.settings import load_settings

app = typer.Typer(
    help="Make keyrings, see what is sealed with which key, rotate keys and remove old ones.",
    no_args_is_help=True,
    add_completion=False,
)

SETTLE_SECONDS = 15.0

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
OneRing = Annotated[RingKind, typer.Option("--ring", help="Which keyring.")]
Settle = Annotated[
    float,
    typer.Option(min=0, max=86_400, metavar="SECONDS", help="How long until every process has surely seen a change."),
]


@app.command()
def generate(
    ring: Annotated[RingKind | None, typer.Option("--ring", help="Only this keyring.")] = None,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Into a new file that only this account may read.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print new keyrings of one key each, for a first set-up. Needs no database, and is not in the audit log."""
    kinds = (ring,) if ring else tuple(RingKind)
    if to is not None and ring is None:
        raise CliError("--to: holds one keyring; say --ring payload or --ring credential")
    made = {kind: Keyring.generate_text(kind.prefix) for kind in kinds}
    if ring is not None and to is not None:
        try:
            create(to, (made[ring],))
        except KeyFileError as error:
            raise CliError(f"--to: {error}") from None
        if as_json:
            print_json({"ring": ring, "file": str(to)})
        else:
            print(f"{to}: a new keyring of one key; name the file in {ring.variable}_FILE")
    elif as_json:
        print_json(made)
    elif ring is not None:
        print(made[ring])
    else:
        for kind, text in made.items():
            print(f"{kind.variable}={text}")


@app.command()
def status(
    ring: Annotated[RingKind | None, typer.Option("--ring", help="Only this keyring.")] = None, as_json: AsJson = False
) -> None:
    """Say what is sealed with which key, and which keys can be removed.

    Exit code 1 where something is sealed with a key that is not in its ring: nobody can open it.
    """
    standings = asyncio.run(look(load_settings(), (ring,) if ring else tuple(RingKind)))
    if as_json:
        print_json({"rings": [standing_json(standing) for standing in standings]})
    else:
        for standing in standings:
            print_standing(standing)
    if any(standing.missing for standing in standings):
        raise typer.Exit(1)


@app.command()
def rotate(
    ring: OneRing,
    settle: Settle = SETTLE_SECONDS,
    add_only: Annotated[
        bool, typer.Option("--add-only", help="Only make the new key, behind the others; then spread the file.")
    ] = False,
    promote: Annotated[
        bool, typer.Option("--promote", help="Only put the new key in front; then spread the file.")
    ] = False,
    reseal_only: Annotated[
        bool, typer.Option("--reseal-only", help="Make no key: seal everything anew with the one that is in front.")
    ] = False,
) -> None:
    """Put a new key in the place of the primary one, and seal everything anew with it, while everything runs.

    Run it again if it was ended half way: it goes on where it was. A keyring in a variable is changed by hand; this
    then seals everything anew.
    """
    chosen = [
        step for step, given in ((Step.ADD, add_only), (Step.PROMOTE, promote), (Step.RESEAL, reseal_only)) if given
    ]
    if len(chosen) > 1:
        raise CliError("--add-only, --promote, --reseal-only: are steps of their own; give one of them")
    well = asyncio.run(rotate_ring(load_settings(), ring, settle, chosen[0] if chosen else None))
    if not well:
        raise typer.Exit(1)


@app.command()
def remove(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The id of the key.")],
    ring: OneRing,
    settle: Settle = SETTLE_SECONDS,
    closed_runs_become_unreadable: Annotated[
        bool,
        typer.Option(
            "--closed-runs-become-unreadable",
            help="Also where runs that have ended may be sealed with it: nobody can read or retry those any more.",
        ),
    ] = False,
) -> None:
    """Take a key out of a keyring. Refused for the primary one, and for one that something is sealed with."""
    settings = load_settings()
    asyncio.run(remove_key(settings, ring, key, settle, closed_runs_become_unreadable))
