"""Readers and writers of other people's formats: one file each, all of them from and to placer's own documents."""
