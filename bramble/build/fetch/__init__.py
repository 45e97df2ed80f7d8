"""What comes from elsewhere: a file behind a URL, an archive that is unpacked, a commit of a git repository.

Chapter: spec/07a-built-in-builders.md, sections 7a.2 and 7a.3. The doors are the
built-in builders `bramble.build.fetch.from_url` and `from_git`. Whatever a server,
an archive or a repository says is hostile until it was checked: it ends as a file
in the output or as a BrambleError `fetch.*`, never as anything else.
"""
