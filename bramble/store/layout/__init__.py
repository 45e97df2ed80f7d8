"""Where everything of a store lies: its root, its directories, and those in which builds are prepared."""
