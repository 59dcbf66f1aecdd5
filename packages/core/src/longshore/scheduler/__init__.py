"""What to do next: events in, actions out. Nothing here reads a clock, a file or a socket."""
