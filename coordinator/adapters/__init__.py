"""Where the coordinator touches the world: files, logs, clocks, HTTP, tokens; the core imports none of these."""
