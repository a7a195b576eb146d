"""What tools/boot starts: the machine, and the checks inside it."""
