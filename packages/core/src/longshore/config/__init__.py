"""What the user wrote: from TOML, JSON or Python to one frozen value, all mistakes at once, each with its place."""
