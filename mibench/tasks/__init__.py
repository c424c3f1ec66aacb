"""One file a task; pairs files; hub and local loading."""
