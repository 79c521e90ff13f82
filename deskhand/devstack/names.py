"""Whether each of our generic top-level names (`plugins`, `workflows`, …) is ours and nobody else's.

`python -P -m deskhand.devstack.names` says so; `-P` keeps the working directory from deciding it.
"""

import importlib.util
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

NAMES = ("activities", "deskhand", "plugins", "starter", "worker", "workflows")
_DISTRIBUTION = "deskhand"


def foreign_names() -> dict[str, str]:
    """Each top-level name that is not ours, or not ours alone, and whose it is."""
    ours = Path(__file__).resolve().parents[2]
    owners = packages_distributions()
    foreign = {}
    for name in NAMES:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            foreign[name] = "is not found: install the project (make check does)"
        elif Path(spec.origin).resolve() not in (ours / name / "__init__.py", ours / f"{name}.py"):
            foreign[name] = f"is {spec.origin}"
        elif others := set(owners.get(name, ())) - {_DISTRIBUTION}:
            foreign[name] = f"also belongs to the installed {', '.join(sorted(others))}"
    return foreign


def main() -> int:
    """Report foreign names; the exit status."""
    foreign = foreign_names()
    for name, whose in foreign.items():
        sys.stderr.write(f"the name {name} {whose}: Deskhand needs an environment of its own\n")
    return 1 if foreign else 0


if __name__ == "__main__":
    sys.exit(main())
