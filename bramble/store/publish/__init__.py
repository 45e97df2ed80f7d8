"""Publication of objects: the outputs of a build, and the sources of a project."""
