"""The operator's side of the daemon: questions and orders come in, answers go out."""
