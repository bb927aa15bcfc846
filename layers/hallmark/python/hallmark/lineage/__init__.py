"""Where every model came from: facts, the graph they make, and the questions it answers."""
