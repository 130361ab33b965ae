"""What every other package builds on: units, text, errors, this machine, settings, private files.

Nothing here knows what a run is. Input: whatever comes from outside (a server's texts, a file, the
environment). Output: values that are safe to keep: bounded, printable, finite, without keys.

Where a key could leak: `redact` removes keys from texts, everything that a server sends passes
through `untrusted`, `secret_patterns` knows what looks like a key, `private_names` hides variables
from engines, and `private_file` protects files from other users. `services/ask/backends` decides
which address a key is sent to; `tests/test_hostile_server.py` is a server that repeats its key
everywhere.
"""
