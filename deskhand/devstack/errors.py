"""What can go wrong with the development stack, in words for the person at the terminal."""


class DevStackError(Exception):
    """The stack cannot go on. The message is readable as it is and says what to do; it holds no secret."""
