"""Temporal's remote codec: opens payloads for the Temporal UI and command line. Decode only, a process of its own."""
