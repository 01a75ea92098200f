"""The `partseg` program. Every command is also an importable function; heavy imports happen inside the commands."""
