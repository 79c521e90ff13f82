"""What a plugin promises, one module per subject. `plugins.conformance.suite` puts them together."""
