"""What is true: the aggregates of incident management, their events, and the rules by which commands are refused."""
