"""Types of command-line arguments."""

from __future__ import annotations

import argparse


def positive(text: str) -> int:
    """A whole number from 1."""
    return _whole(text, 1)


def not_negative(text: str) -> int:
    """A whole number from 0."""
    return _whole(text, 0)


def number_of_parts(text: str) -> int | None:
    """A whole number from 1, or None for "auto"."""
    return None if text == "auto" else positive(text)


def _whole(text: str, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
    if number < least:
        raise argparse.ArgumentTypeError(f"{number} is less than {least}")
    return number
