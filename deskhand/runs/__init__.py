"""Runs as services and operators start and handle them: orders, and whatever takes one durably."""
