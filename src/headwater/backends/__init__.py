"""Where stores live: one package per technology, none imports another. Reads: the ports. Read next: sqlite/."""
