"""What a person asked for that cannot be done."""


class BadInput(Exception):
    """The user's input is wrong; one line. Exit code 2."""
