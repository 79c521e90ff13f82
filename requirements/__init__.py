"""What is pinned, and what is asked of the pins: `make audit` and `make sbom`."""
