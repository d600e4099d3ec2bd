//! Use cases: one file for each command.
