//! kclust as its users run it: the binary, against an emulated AWS.

mod addons;
mod bad_days;
mod budget;
mod drift;
mod harness;
mod lifecycle;
mod preflight;
mod readme;
mod transcripts;
