"""Policy tests: simulated guests and a virtual host in virtual time, and what is expected of them.

Nothing here knows a clock, a socket or a file: the agenda's time is the only one.
"""
