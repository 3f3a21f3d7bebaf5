//! Which topics have an alias on this connection (MQTT 5, 3.3.2.3.4)?

/// Aliases of one connection, at most.
const MOST: usize = if cfg!(feature = "mqtt5") { 256 } else { 0 };

/// The aliases that the broker has been told, or is about to be: lost with the connection.
#[derive(Debug, Clone)]
pub(super) struct Aliases {
    /// The signal whose topic each stands for, by alias. A signal has one place where its alias may be; the first that comes takes it.
    signals: [u32; MOST],
    /// Topic Alias Maximum, if that is less.
    most: u16,
}

/// No signal has this number.
const NOBODY: u32 = u32::MAX;

impl Default for Aliases {
    fn default() -> Self {
        Aliases {
            signals: [NOBODY; MOST],
            most: 0,
        }
    }
}

impl Aliases {
    /// A connection begins, on which there may be so many.
    pub(super) fn begin(&mut self, most: u16) {
        *self = Aliases {
            most: most.min(MOST as u16),
            ..Aliases::default()
        };
    }

    /// None of them is known to the broker any more.
    pub(super) fn forget(&mut self) {
        self.begin(self.most);
    }

    pub(super) fn is_any(&self) -> bool {
        self.most > 0
    }

    /// The alias of a signal's topic, if it has one or may have one, and whether the broker knows it.
    pub(super) fn of(&self, signal: u32) -> Option<(u16, bool)> {
        let place = self.place(signal)?;
        let holder = *self.signals.get(usize::from(place))?;
        match holder {
            NOBODY => Some((place + 1, false)),
            holder => (holder == signal).then_some((place + 1, true)),
        }
    }

    /// A message of this signal is on its way; if it has its alias with it, the broker knows that.
    pub(super) fn sent(&mut self, signal: u32, has_alias: bool) {
        if has_alias
            && let Some(place) = self.place(signal)
            && let Some(holder) = self.signals.get_mut(usize::from(place))
        {
            *holder = signal;
        }
    }

    fn place(&self, signal: u32) -> Option<u16> {
        signal
            .checked_rem(u32::from(self.most))
            .map(|place| place as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::v5::encode::{has_alias, publish};

    #[test]
    fn a_topic_has_an_alias_from_its_first_message_on_until_the_connection_ends() {
        let mut aliases = Aliases::default();
        assert_eq!(aliases.of(7), None);
        aliases.begin(10);
        assert_eq!(aliases.of(7), Some((8, false)));
        // Without the alias in it, the message has told the broker of none.
        aliases.sent(7, has_alias(publish(Some(1), None).bytes()));
        assert_eq!(aliases.of(7), Some((8, false)));
        aliases.sent(7, has_alias(publish(None, Some(8)).bytes()));
        assert_eq!(aliases.of(7), Some((8, true)));
        // The place is taken.
        assert_eq!(aliases.of(17), None);
        aliases.forget();
        assert_eq!(aliases.of(17), Some((8, false)));
    }

    #[test]
    fn no_alias_is_over_the_brokers_maximum_or_0() {
        for most in [1, 2, 10, 256, u16::MAX] {
            let mut aliases = Aliases::default();
            aliases.begin(most);
            for signal in 0..1000 {
                let (alias, _) = aliases.of(signal).expect("no place is taken");
                assert!((1..=most.min(256)).contains(&alias), "{alias} of {most}");
            }
        }
    }
}
