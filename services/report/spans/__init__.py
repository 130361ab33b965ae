"""A run as OpenTelemetry spans: the run, its repeats as children, and below those each request.

Input: a run and its requests, in parts. Output: protobuf messages to send by OTLP. The attributes
of a request follow the GenAI conventions, see `conventions.py`. An identifier is a hash of what it
identifies, so that a receiver recognizes what is sent twice.
"""
