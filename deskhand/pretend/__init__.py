"""The vendors as pretend tools, over `plugins.conformance.pretend`: their rules and refusals, and a page to look at.

For the development stack, the demo, tests and the bench. Nothing else imports this package.
"""
