"""`python -m partseg_bench.claims` is `partseg bench claims`."""

from __future__ import annotations

import sys

from partseg.errors import PartsegError
from partseg_bench.claims.cli import main

if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except PartsegError as error:
        sys.exit(f"partseg bench claims: {error}")
