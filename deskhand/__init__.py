"""Everything of Deskhand that is not a workflow, an activity, a plugin or one of the two services."""
