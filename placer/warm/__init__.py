"""A cluster kept warm: every host's figures at hand, so that one VM is placed by looking at all hosts at once."""
