//! How does a board's NOR flash become the storage of its devices' spools?
//!
//! A region of flash is divided into sectors, each of which is erased as a whole. A sector is one segment of one device's log, behind one word
//! that says whose it is:
//!
//! ```text
//!   | owner, serial number, checksum | segment: head | block | block | ... |
//! ```
//!
//! Any device takes any sector that is free, in turns around the region, up to its own `spool_size`: so flash wears evenly, and a table that
//! names other devices or sizes loses nothing. What a device has left that is not in the table any more stays until its room is needed.
//!
//! Every word is written once, and read back. A sector is erased when its segment is freed. It is erased again before it is written if that was
//! not in this run: a power cut in the middle of an erase leaves words that look erased, and are not.
//!
//! | file | question |
//! |---|---|
//! | `sectors` | whose is each sector, and what is done with it? |
//! | `part` | how is one device's share the [`Storage`](mqtt_client_core::spool::Storage) of its log? |

mod part;
mod sectors;

pub use part::Part;
pub use sectors::{Flash, READ_BACK_DIFFERS, Sectors};
