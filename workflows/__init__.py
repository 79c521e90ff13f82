"""What Temporal runs: the workflows, the values that cross their boundary, and the policies in one table.

Workflows do no I/O. They import the standard library, temporalio, pydantic and `plugins.types`, and call activities by
name through the typed references in `contracts`.
"""
