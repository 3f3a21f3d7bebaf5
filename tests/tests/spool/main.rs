//! The spool between real parts: what survives a kill, an end, a reload, and storage that fails.

mod kills;
