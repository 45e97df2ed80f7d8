"""The specification as a book: what refers to what, what has a case, and the pages made by program."""
