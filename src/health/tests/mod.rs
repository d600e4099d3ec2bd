//! Snapshots and what the rules make of them. Golden files lie in `tests/golden/health/`; `UPDATE_GOLDEN=1` writes them; read the
//! difference before keeping it.

mod api;
mod certificates;
mod dns;
mod etcd;
mod fixture;
mod golden;
mod pods;
mod rules;
mod told;
mod tolerance;
mod unseen;
mod versions;
mod view;
