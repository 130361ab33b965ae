"""What every other package builds on: units, text, errors, this machine, settings, private files.

Nothing here knows what a run is. In comes what the outside gives (a server's words, a file, the
environment); out goes what is safe to keep: bounded, printable, finite, without keys.

Where a key could leak: `redact` removes it from texts, `untrusted` is what everything a server says
passes, `secret_patterns` knows what looks like a key, `private_names` keeps variables from engines,
and `private_file` keeps files from other users. `services/ask/backends` decides which address a key
is sent to; `tests/test_hostile_server.py` is a server that repeats its key everywhere.
"""
