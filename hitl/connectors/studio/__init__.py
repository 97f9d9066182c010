"""What talking to a Label Studio takes: HTTP, the project, its tasks, pushing and pulling."""
