//! A whole bridge in memory: the core over a network, a Redis and brokers that are models, with a clock that the test turns.
//!
//! | module | is |
//! |---|---|
//! | [`rig`] | all of it together, and the rules that hold after every step |
//! | [`network`] | lines that can refuse, stall, break and move a byte at a time |
//! | [`redis`], [`broker`] | the models at the other ends |
//! | [`disk`] | a model of storage |
//! | [`packet`] | what a client says, read strictly |
//! | [`logbook`] | what was logged |

pub mod broker;
#[expect(dead_code, reason = "no storage is damaged here")]
pub mod disk;
#[cfg(feature = "log")]
pub mod logbook;
pub mod network;
pub mod packet;
pub mod redis;
pub mod rig;
