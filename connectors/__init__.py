"""Ways in from the outside world: tables, registries and, later, the connector kit."""
