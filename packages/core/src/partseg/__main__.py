"""`python -m partseg` is the `partseg` program."""

import sys

from partseg.cli.main import main

sys.exit(main())
