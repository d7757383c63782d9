"""The only room that imports ortools: boards, searches, bounds."""
