//! How fast, and how small? A bridge under full load between two ends that are as fast as memory.
//!
//! ```text
//!   Source (a Redis that only publishes) -> bridge -> Sink (a broker that only acknowledges)
//! ```
//!
//! | module | question |
//! |---|---|
//! | [`workload`] | which messages go in, and what has to come out? |
//! | [`source`] | what does Redis say? No I/O |
//! | [`sink`] | what does the broker say, and is every message right? No I/O |
//! | [`ends`] | both ends on sockets, in one thread, with flow control |
//! | [`memory`] | both ends in memory, around the core alone |
//! | [`meter`] | what has a process used? |
//! | [`subjects`] | which bridges are there, and how are they built? |
//! | [`relay`] | how fast can any bridge be, at most? |
//! | [`measure`] | one run, and the median of several |
//!
//! A run counts only if the sink has seen every message, in order and byte for byte, and nothing else.

pub mod ends;
pub mod measure;
pub mod memory;
pub mod meter;
pub mod relay;
pub mod sink;
pub mod source;
pub mod subjects;
pub mod workload;
