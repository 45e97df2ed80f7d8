"""Vectors: inputs and results as JSON files, for tests without the runner; README.md says what is in them."""
