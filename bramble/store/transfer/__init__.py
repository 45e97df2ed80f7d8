"""Objects on their way: to another store, or with their store to another place."""
