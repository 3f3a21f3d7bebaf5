//! A stream in pieces, as a network may deliver it. Where it is cut follows from its bytes, so that the bytes alone are the
//! whole case.

/// The stream whole, byte by byte, and in pieces of changing sizes.
pub fn ways_to_split(stream: &[u8]) -> [Vec<&[u8]>; 3] {
    let whole = if stream.is_empty() {
        Vec::new()
    } else {
        vec![stream]
    };
    [whole, stream.chunks(1).collect(), changing(stream)]
}

fn changing(stream: &[u8]) -> Vec<&[u8]> {
    // xorshift64 from a hash of the bytes (FNV-1a).
    let mut state = stream.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut pieces = Vec::new();
    let mut rest = stream;
    while !rest.is_empty() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // Mostly short ones: what matters is where a token is cut.
        let len = 1 + (state >> 32) as usize % if state & 7 == 0 { 600 } else { 12 };
        let (piece, after) = rest.split_at(len.min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}
