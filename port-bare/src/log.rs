//! Where this crate's own lines go: to `log` (feature `log`), to `defmt` (feature `defmt`), to both, or nowhere. Lines are rare
//! here; what the core says of every message has its own, quicker way.

use core::fmt::Display;

macro_rules! level {
    ($name:ident, $macro:ident) => {
        pub(crate) fn $name(text: &dyn Display) {
            #[cfg(feature = "log")]
            log::$macro!("{text}");
            #[cfg(feature = "defmt")]
            defmt::$macro!("{}", defmt::Display2Format(text));
            #[cfg(not(any(feature = "log", feature = "defmt")))]
            let _ = text;
        }
    };
}

level!(error, error);
level!(warning, warn);
level!(info, info);
