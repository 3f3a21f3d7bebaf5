//! The model servers of the core's own tests.

#[path = "../../../core/tests/common/broker.rs"]
pub mod broker;
#[cfg(feature = "log")]
#[path = "../../../core/tests/common/logbook.rs"]
pub mod logbook;
#[path = "../../../core/tests/common/packet.rs"]
pub mod packet;
#[path = "../../../core/tests/common/redis.rs"]
pub mod redis;
