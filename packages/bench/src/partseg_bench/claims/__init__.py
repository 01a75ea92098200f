"""Claims: the orderings that papers' tables claim, each an executable comparison on embedded data, with a verdict."""
