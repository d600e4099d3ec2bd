//! kclust as its users run it: the binary, against an emulated AWS.

mod bad_days;
mod harness;
mod lifecycle;
