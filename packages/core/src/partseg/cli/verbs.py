"""Commands that have verbs of their own, such as `partseg data check`."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping

from partseg.spec import load_target


def run_verb(program: str, help_text: str, verbs: Mapping[str, str], argv: list[str]) -> int:
    """Run the verb that comes first; its module is imported only then.

    Args:
        program: what is typed before the verb, e.g. "partseg data".
        help_text: what `--help` prints.
        verbs: verb -> ``"module:function"`` of the arguments after it, which returns the exit code.
        argv: verb and arguments.

    Returns:
        The verb's exit code; 2 for no verb or an unknown one, with a line on stderr that says which there are.
    """
    if argv and argv[0] in ("-h", "--help", "help"):
        print(help_text, end="")
        return 0
    if argv and argv[0] in verbs:
        return load_target(verbs[argv[0]])(argv[1:])
    close = difflib.get_close_matches(argv[0], verbs, 1, 0.6) if argv else []
    hint = f"did you mean {close[0]!r}?" if close else f"verbs: {', '.join(verbs)}"
    told = f"unknown verb {argv[0]!r}" if argv else "which verb?"
    print(f"{program}: {told}; {hint}", file=sys.stderr)
    return 2
