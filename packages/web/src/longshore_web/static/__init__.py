"""What browsers load beside the pages."""

__all__: list[str] = []
