//! kclust as its users run it: the binary, against an emulated AWS.

mod addons;
mod bad_days;
mod budget;
mod drift;
mod harness;
mod health;
mod hostile;
mod kubeconfig;
#[allow(dead_code, reason = "what tests may ask of it")]
mod kubernetes_api;
mod lifecycle;
mod look;
mod preflight;
mod readme;
mod secrets;
mod soak;
mod transcripts;
