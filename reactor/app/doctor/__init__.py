"""What is wrong with the set-up, found by trying it, and how to mend it."""
