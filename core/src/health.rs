//! How is a device? One JSON object, of a fixed shape, that a program can read: `docs/status.md` says what each field means, and
//! `docs/health.schema.json` says it to programs.

use serde::Serialize;

use crate::counters::Counters;

/// Bytes that [`Health::write`] needs at most, for a version of up to 32 bytes.
pub const MAX_LEN: usize = 640;

/// The object, with its fields in the order in which they are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Health<'a> {
    /// Of the program.
    pub version: &'a str,
    /// Seconds since the start of the process.
    pub uptime: u64,
    /// The [counters](Counters), here and below.
    pub received: u64,
    pub rejected: u64,
    pub suppressed: u64,
    pub queued: u64,
    pub spooled: u64,
    pub sent: u64,
    pub acknowledged: u64,
    pub refused: u64,
    pub dropped: u64,
    pub reconnects: u64,
    /// Seconds for which the oldest sample has waited; `None` without a spool, which is what keeps the time.
    pub oldest: Option<u64>,
    pub redis: Redis,
    pub session: Session,
}

/// Whether samples can come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Redis {
    /// Every channel is subscribed to that Redis permits.
    Up,
    #[default]
    Down,
}

/// Whether samples can go, and what the broker knew when it let us in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Session {
    /// There is no connection that the broker has accepted.
    #[default]
    Offline,
    /// It began a session; at QoS 0 each is a new one.
    New,
    /// It went on with ours.
    Resumed,
    /// MQTT 3.1 does not tell which.
    Unknown,
}

impl<'a> Health<'a> {
    #[must_use]
    pub fn new(
        version: &'a str,
        uptime: u64,
        counters: &Counters,
        redis: Redis,
        session: Session,
    ) -> Self {
        // Samples on storage, and the age of the oldest.
        #[cfg(feature = "spool")]
        let (spooled, oldest) = match counters.spool {
            Some(spool) => (spool.spooled, Some(spool.oldest)),
            None => (0, None),
        };
        #[cfg(not(feature = "spool"))]
        let (spooled, oldest) = (0, None);
        Health {
            version,
            uptime,
            received: counters.received,
            rejected: counters.rejected,
            suppressed: counters.suppressed,
            queued: counters.queued,
            spooled,
            sent: counters.sent,
            acknowledged: counters.acknowledged,
            refused: counters.refused,
            dropped: counters.dropped,
            reconnects: counters.reconnects,
            oldest,
            redis,
            session,
        }
    }

    /// The JSON text, in this buffer; `None` if it does not fit: [`MAX_LEN`] bytes are enough.
    #[must_use]
    pub fn write<'b>(&self, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
        let len = serde_json_core::to_slice(self, buffer).ok()?;
        buffer.get(..len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text<'b>(health: &Health<'_>, buffer: &'b mut [u8]) -> Option<&'b str> {
        health
            .write(buffer)
            .and_then(|text| core::str::from_utf8(text).ok())
    }

    #[test]
    fn each_counter_stands_under_its_own_name() {
        let counters = Counters {
            received: 1,
            rejected: 2,
            suppressed: 3,
            queued: 4,
            sent: 6,
            acknowledged: 7,
            refused: 8,
            dropped: 9,
            reconnects: 10,
            spool: Some(crate::counters::Spooled {
                spooled: 5,
                oldest: 11,
            }),
        };
        let health = Health::new("0.1.0", 12, &counters, Redis::Up, Session::Resumed);
        assert_eq!(
            text(&health, &mut [0; MAX_LEN]),
            Some(
                r#"{"version":"0.1.0","uptime":12,"received":1,"rejected":2,"suppressed":3,"queued":4,"spooled":5,"sent":6,"acknowledged":7,"refused":8,"dropped":9,"reconnects":10,"oldest":11,"redis":"up","session":"resumed"}"#
            )
        );
    }

    #[test]
    fn without_a_spool_nobody_knows_the_oldest_ones_age() {
        let health = Health::new(
            "0.1.0",
            0,
            &Counters::default(),
            Redis::Down,
            Session::Offline,
        );
        let mut buffer = [0; MAX_LEN];
        let text = text(&health, &mut buffer).unwrap();
        assert!(
            text.ends_with(r#""oldest":null,"redis":"down","session":"offline"}"#),
            "{text}"
        );
    }

    #[test]
    fn the_longest_fits_and_a_buffer_that_is_too_small_gets_nothing() {
        let most = u64::MAX;
        let counters = Counters {
            received: most,
            rejected: most,
            suppressed: most,
            queued: most,
            sent: most,
            acknowledged: most,
            refused: most,
            dropped: most,
            reconnects: most,
            spool: Some(crate::counters::Spooled {
                spooled: most,
                oldest: most,
            }),
        };
        let version = "00000000000000000000000000000000";
        let health = Health::new(version, most, &counters, Redis::Down, Session::Resumed);
        let len = text(&health, &mut [0; MAX_LEN]).unwrap().len();
        for short in 0..len {
            assert_eq!(text(&health, &mut [0; MAX_LEN][..short]), None, "{short}");
        }
    }
}
