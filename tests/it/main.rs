//! kclust as its users run it: the binary, against an emulated AWS.

mod harness;
mod lifecycle;
