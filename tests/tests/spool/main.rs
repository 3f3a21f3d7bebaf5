//! The spool between real parts: what survives a kill, an end, a reload, and storage that fails.

mod ends;
mod gateway;
mod kills;
mod storage;
