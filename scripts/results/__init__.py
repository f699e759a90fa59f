"""Every recipe measured, and the tables that follow from it."""
