"""Why a policy did or did not run on a guest: the engine's state and the journal, in words."""
