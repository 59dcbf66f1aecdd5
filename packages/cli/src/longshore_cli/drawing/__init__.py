"""Pictures of workflows: what is to be drawn, where it stands, and how each format writes it."""
