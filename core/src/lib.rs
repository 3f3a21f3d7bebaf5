#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod bridge;
pub mod config;
pub mod counters;
pub mod index;
pub mod log;
pub mod mqtt;
pub mod net;
pub mod observer;
pub mod outbox;
pub mod redis;
pub mod routes;
pub mod sample;
pub mod time;
