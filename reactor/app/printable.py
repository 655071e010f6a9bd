"""Text from guests and files, made safe for a terminal."""


def printable(text: str) -> str:
    """The text with everything that is no visible character written as an escape.

    What a guest chose must not move the cursor, set colours or break a line of
    the output in two; neither may half a character from a file's name.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
