"""The layout of a store: its root, its directories, and those in which builds are prepared."""
