"""One module for each subcommand; each has it as ``command``."""
