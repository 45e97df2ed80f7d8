"""What is known: which objects there are, what was built, what must stay, which sources have not changed."""
