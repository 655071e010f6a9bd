"""What each code of a finding means: the one table that pages and programs are made of."""
