//! How is the bridge, in one word that a board can show?

/// The first thing that is missing, or that nothing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Status {
    /// The cable is unplugged.
    NoCable,
    /// There is no lease of an address.
    NoAddress,
    /// Redis has not confirmed the subscriptions.
    NoRedis,
    /// At least one broker has not let us in.
    NoBroker,
    /// Samples flow.
    Online,
}
