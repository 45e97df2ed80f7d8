"""An HTTP/1.1 server (RFC 9110, RFC 9112): it knows nothing of what it serves.

`request` and `answer` are functions of bytes; `files` opens what lies below a directory, `server` has the
connections. Whoever serves something hands over a function from a request to an answer.
"""
