"""The server of a registry: jobs that publish packages, what they are checked for, and pages for people.

Chapter: spec/10b-registry-server.md. `jobs` and `lining_up` are the queue, `working` runs a job in a process
each, `checking` is what that process does, `site` answers requests, `serving` combines them.
"""
