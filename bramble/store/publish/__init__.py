"""How objects get in: what a build has made, and the sources of a project."""
