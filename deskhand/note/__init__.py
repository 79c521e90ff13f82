"""The note: similar tickets from the tenant's own history, a writer, and one template for what every writer says."""
