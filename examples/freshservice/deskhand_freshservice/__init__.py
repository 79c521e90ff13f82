"""Freshservice for Deskhand: four methods and a connection model (`plugin`), some hooks (`full`), a pretend tool."""
