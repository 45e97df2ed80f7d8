"""What an object is, in bytes: archive, references, identity (spec: chapter 6). Pure."""
