"""What every other room stands on: units, text, errors, this machine, settings, private files.

Nothing here knows what a run is. In comes what the outside gives (a server's words, a file, the
environment); out goes what is safe to keep: bounded, printable, finite, without keys.
"""
