"""The verbs, a module each: fetch, train, predict. They read settings; all below takes arguments."""
