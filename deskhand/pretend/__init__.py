"""Pretend ticketing tools: real HTTP, the vendors' rules and refusals, state in memory, and a page to look at.

For the development stack, the demo, tests and the bench. Nothing else imports this package.
"""
