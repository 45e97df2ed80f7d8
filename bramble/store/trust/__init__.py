"""What of a store can be believed: who may write to it, and which records have the form of a record."""
