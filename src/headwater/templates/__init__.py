"""The files that ``headwater new`` writes; ``$name`` stands for the project's name."""
