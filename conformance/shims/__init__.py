"""Programs to copy: each translates the commands of the suite for a program that has others."""
