"""Tables, sentences and pages for people. Everything here goes to a terminal or a file, never into an answer."""
