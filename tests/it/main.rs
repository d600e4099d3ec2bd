//! kclust as its users run it: the binary, against an emulated AWS.

mod addons;
mod bad_days;
mod budget;
mod drift;
mod harness;
mod hostile;
mod lifecycle;
mod readme;
mod transcripts;
