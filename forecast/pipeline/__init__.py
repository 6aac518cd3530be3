"""The verbs, a module each. They read the settings; all below them takes plain arguments."""
