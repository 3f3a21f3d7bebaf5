//! The product without an operating system: the image for the board that QEMU emulates, between real servers.
//!
//! | file | question |
//! |---|---|
//! | `messages` | what arrives, where, and how? |
//! | `outages` | what if a server goes away, and comes back? |
//! | `cable` | what if the network does? |
//! | `hostile` | what if a peer talks nonsense? |
//! | `configuration` | what if the mapping table is wrong? |
//! | `resets` | what outlives a reset? (the image with a spool) |
//! | `memory_map` | is everything in both boards' images where it belongs? |

mod cable;
mod configuration;
mod hostile;
mod memory_map;
mod messages;
mod outages;
mod resets;

use mqtt_client_tests::Board;

/// Bytes of stack that no test may need more of: a quarter is kept for what no test has thought of.
const STACK: u64 = 6 * 1024;

/// What holds for every board at the end of a test: it has started once, needed no more of its stack than is known, and ends when it is told to.
#[track_caller]
fn finish(board: &mut Board) {
    let (used, size) = board.stack();
    assert!(
        used <= STACK,
        "{used} of {size} bytes of the stack were used"
    );
    assert_eq!(board.starts(), 1, "starts");
    assert_eq!(board.stop().code, 0);
}
