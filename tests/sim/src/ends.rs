//! The servers at the far ends of the lines, with the faults that a plan gives them.

mod broker;
mod redis;

pub use broker::BrokerEnd;
pub use redis::{Expected, Message, RedisEnd};

use crate::line::{Direction, Line};
use crate::network::{Door, Names};

fn heal_line(line: &Line, latency: (u64, u64)) {
    line.defuse();
    line.set_door(Door::Open);
    line.set_names(Names::Known);
    line.set_delays(0, 0);
    line.set_latency(latency);
    line.set_piece(usize::MAX);
    line.set_window(usize::MAX);
    line.set_stalled(Direction::ToServer, false);
    line.set_stalled(Direction::ToClient, false);
}
