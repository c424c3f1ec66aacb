"""Shared tasks: rounds with private data, queues of submissions, standings."""
