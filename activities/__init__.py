"""The activities: each a small dataclass over injected parts, with one `run` that centres on one plugin method.

They translate between Temporal and plugins. No activity knows a vendor, and none repeats anything.
"""
