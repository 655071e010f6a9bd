"""Policy files: strict YAML text becomes checked policies, or a list of all its problems."""
