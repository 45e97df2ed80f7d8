"""What builds of a project were like: when, how long, what went in and what came out (spec 5.2)."""
