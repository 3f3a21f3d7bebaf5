//! What does a board say of itself, once a minute or when it is asked?

use mqtt_client_bare::Runner;
use smoltcp::phy;

use crate::stack::Stack;

/// Logs the counters of each device, in the daemon's words, and how much of the stack was used.
pub fn report<D: phy::Device>(runner: &Runner<'_, D>) {
    for (device, counters) in runner.counters() {
        defmt::info!(
            "{=str}: received {} rejected {} suppressed {} queued {} sent {} acknowledged {} dropped {} reconnects {}",
            device.alias,
            counters.received,
            counters.rejected,
            counters.suppressed,
            counters.queued,
            counters.sent,
            counters.acknowledged,
            counters.dropped,
            counters.reconnects
        );
        #[cfg(feature = "spool")]
        if let Some(spool) = counters.spool {
            defmt::info!(
                "{=str}: spooled {} oldest {}",
                device.alias,
                spool.spooled,
                spool.oldest
            );
        }
    }
    let stack = Stack::now();
    defmt::info!("stack: {} of {} bytes used", stack.used, stack.size);
}
