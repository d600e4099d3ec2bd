//! Carrying out a plan: a ready queue with bounded concurrency, classified retries, deadlines, and events for whoever watches.
