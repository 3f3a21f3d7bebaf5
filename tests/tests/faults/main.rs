//! Hundreds of faults: the real daemon, Redis and Mosquitto, over links that fail and while processes stop, end and come back.
//!
//! `cargo test -p mqtt-client-tests --test faults`; not among what `cargo test` runs by itself, since it takes minutes.

mod clocks;
mod lives;
mod network;
mod resources;
mod windows;
