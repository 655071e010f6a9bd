"""A record of what happened, through today's policies in virtual time; nothing is executed.

docs/adr/0014 says how commands are answered, docs/reference/recordings.md what a
recording looks like.
"""
