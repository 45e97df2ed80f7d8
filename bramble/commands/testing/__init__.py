"""Tests as builds, and their results as JUnit XML."""
