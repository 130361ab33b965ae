"""A run as OpenTelemetry spans: the run, its repeats below it, and below those each request.

In come a run and its requests, some at a time; out come protobuf messages to send by OTLP. The
attributes of a request are those of the GenAI conventions, see `conventions.py`. An identifier is a
hash of what it names, so that a receiver takes what is sent twice for the same.
"""
