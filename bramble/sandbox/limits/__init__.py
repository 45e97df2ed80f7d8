"""What a sandbox uses, measured and held below its limits. Imports nothing here."""
