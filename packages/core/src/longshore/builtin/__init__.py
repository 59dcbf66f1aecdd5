"""The plugins that come with the core, announced through the same hooks as everybody's."""
