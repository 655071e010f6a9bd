"""One module or folder for each kind of I/O; they do not know each other."""
