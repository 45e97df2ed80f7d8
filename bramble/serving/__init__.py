"""An HTTP/1.1 server (RFC 9110, RFC 9112): it knows nothing of what it serves.

`request` and `answer` are functions of bytes; `files` opens files below a directory, `server` has the
connections. A server is given a function from a request to an answer.
"""
