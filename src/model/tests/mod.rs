//! The model of each example cluster. Golden files lie in `tests/golden/model/`.

mod golden;
mod limits;
mod policies;
mod shape;
mod tags;
