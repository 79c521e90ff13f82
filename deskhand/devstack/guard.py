"""Become another program that does not outlive its parent. A script of the standard library alone, run before `exec`.

A launcher rather than `preexec_fn`: code between fork and exec may deadlock in a process with threads. It starts with
the parent's rights, so it also works where the account that it drops to cannot read the Python installation.

    python -I -S guard.py PARENT_PID ORPHAN_SIGNAL UID:GID|- FOLDER PROGRAM [ARGUMENT ...]
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1
CANNOT_RUN = 126
"""Exit code when the folder or the program is out of the account's reach."""
ORPHANED = 125
"""Exit code when the parent was gone before the program started."""


def main(arguments: list[str]) -> int:
    """Drop to the account, tie the process to its parent, and become the program. Returns only if that failed."""
    parent, orphan_signal, account, folder, *command = arguments
    os.umask(0o077)
    try:
        if account != "-":
            uid, gid = map(int, account.split(":"))
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
        os.chdir(folder)
        # After the change of account, which clears it. Other systems than Linux have nothing like it.
        if sys.platform == "linux" and ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(orphan_signal), 0, 0, 0) != 0:
            sys.stderr.write("this system refuses to tie a process to its parent (prctl)\n")
            return CANNOT_RUN
        if os.getppid() != int(parent):
            return ORPHANED
        os.execv(command[0], command)  # noqa: S606 - becoming that program is what this script is for
    except OSError as error:
        sys.stderr.write(f"cannot run {command[0]} in {folder}: {error.strerror}\n")
        return CANNOT_RUN


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
