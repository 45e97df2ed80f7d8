"""The forms of documents: `spec/schemas`, a validator, and what is held against them."""
