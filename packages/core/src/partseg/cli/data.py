"""`partseg data`: check, prepare and look at datasets; write embedded shapes to files."""

from __future__ import annotations

from partseg.cli.verbs import run_verb

_HELP = """\
usage: partseg data <verb> [arguments]

Check, prepare and look at datasets; write embedded shapes to files.

verbs:
  check <dataset>      what is there, what is missing, what is damaged, file by file
  prepare <dataset>    sample and normalise every shape once, into a cache that training reads
  preview [dataset]    a contact sheet of shapes coloured by part (default: of the embedded shapes)
  families             names of the families of the embedded shapes
  sample <file>        write one embedded shape to a file

examples:
  partseg data check partnet --root D                        D: the folder that holds the dataset
  partseg data prepare partnet --root D --cache C            once; goes on where it stopped
  partseg data preview partnet --root D -o parts.png         a row a shape, every level side by side
  partseg data preview partnet --root D --category Chair --level 2
  partseg data preview --family chair --count 24 --level fine
  partseg data sample chair.glb --family chair --index 3     one shape, to try `partseg segment` on

`partseg datasets` lists the datasets, `partseg data <verb> <dataset> --help` shows the options of one.
"""
_VERBS = {
    "check": "partseg.cli.data_check:main",
    "prepare": "partseg.cli.data_prepare:main",
    "preview": "partseg.cli.data_preview:main",
    "families": "partseg.cli.data_procedural:families_command",
    "sample": "partseg.cli.data_procedural:sample_command",
}


def main(argv: list[str]) -> int:
    """The command; a verb's module is imported when the verb is run."""
    return run_verb("partseg data", _HELP, _VERBS, argv)
