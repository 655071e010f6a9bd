"""The command line: one module for each verb, heavy imports only where a verb needs them."""
