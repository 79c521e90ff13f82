"""What Deskhand costs, against a floor that is measured in the same run on the same machine.

`python -m bench --help`. `docs/performance.md` says what each row means and what was found. Nothing imports this.
"""
