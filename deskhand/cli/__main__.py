"""`python -m deskhand.cli`: the command line where the script `deskhand` is not on the path."""

from deskhand.cli import main

main()
