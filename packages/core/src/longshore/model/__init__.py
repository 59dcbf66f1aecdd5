"""What things are: frozen values that cannot be wrong, events and views among them. Nothing here does anything."""
