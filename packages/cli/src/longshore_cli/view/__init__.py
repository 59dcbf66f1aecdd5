"""What is seen of a run while it runs and when it has ended."""
