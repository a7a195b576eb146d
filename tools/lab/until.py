"""Waiting: always for something, always with a deadline."""

import time


class TimedOut(AssertionError):
    """The deadline passed; the message says what was waited for and what was seen last."""


def until(what, condition, within, every=0.005):
    """Calls condition() every `every` seconds and returns its first true value.

    Raises TimedOut after `within` seconds. `what` is a text, or a function that makes one then.
    """
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            text = what() if callable(what) else what
            raise TimedOut(f"not within {within} s: {text}")
        time.sleep(every)
