"""What is allowed and yet most likely not meant: each finding is right whenever it is made."""
