"""For those who follow the events: pages of the log, the live tail of this process, and a consumer of the streams."""
