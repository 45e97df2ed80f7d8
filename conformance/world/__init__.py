"""What surrounds a case: directories, an environment, commands with a time limit, servers, repositories."""
