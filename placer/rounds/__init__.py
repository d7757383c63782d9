"""Hosts emptied for maintenance, round by round."""
