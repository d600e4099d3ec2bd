//! Desired and observed → what to change, why and in which order. Pure.
