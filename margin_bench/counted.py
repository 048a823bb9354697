"""Numbers of things in words."""


def counted(number: int, one: str, several: str = "") -> str:
    """A number with the word for one of them or for several, by itself that for one with an `s`."""
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"
