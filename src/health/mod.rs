//! Is the cluster what the spec says, and does it work? Observations → checks (pure rules) → report.
